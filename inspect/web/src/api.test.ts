import { afterEach, describe, expect, it, vi } from "vitest";
import { ApiError, address, ask, Changes, follow, PAUSE, RETRY, STUCK } from "./api";
import type { Answer } from "./types";

/** A server that reads a bit more each time, on a clock that only waiting moves. */
class Scene {
  time = 0;
  asked: number[] = [];
  waits: number[] = [];
  emitted: string[] = [];
  failures: unknown[] = [];
  changes = new Changes();
  isOver = false;

  constructor(private replies: (Answer<string> | Error)[]) {}

  /** Follows until the replies are used up. */
  async play(): Promise<void> {
    let idle: () => void = () => {};
    const isIdle = new Promise<void>((resolve) => {
      idle = resolve;
    });
    const next = this.changes.next.bind(this.changes);
    this.changes.next = () => {
      if (this.replies.length === 0) idle();
      return next();
    };
    const end = follow<string>({
      ask: async () => {
        this.asked.push(this.time);
        this.time += 10;
        const reply = this.replies.shift();
        if (reply instanceof Error) throw reply;
        return reply as Answer<string>;
      },
      changes: this.changes,
      emit: ({ answer }) => this.emitted.push(answer),
      fail: (error) => this.failures.push(error),
      isOver: () => this.isOver,
      wait: async (ms) => {
        this.waits.push(ms);
        this.time += ms;
      },
      now: () => this.time,
    });
    await isIdle;
    this.isOver = true;
    this.changes.poke();
    await end;
  }
}

const part = (read: number, total = 3): Answer<string> => ({ read, total, answer: `${read} of ${total}` });

describe("following an answer", () => {
  it("asks again at once until all is read, and shows each part", async () => {
    const scene = new Scene([part(1), part(2), part(3)]);
    await scene.play();
    expect(scene.emitted).toEqual(["1 of 3", "2 of 3", "3 of 3"]);
    expect(scene.asked).toEqual([0, 10, 20]);
  });

  it("takes a breath when nothing further was read", async () => {
    const scene = new Scene([part(1), part(1), part(3)]);
    await scene.play();
    expect(scene.asked).toEqual([0, 10, 20 + STUCK]);
  });

  it("asks once for many changes, and not twice within a second", async () => {
    const scene = new Scene([part(3), part(4, 4)]);
    scene.changes.poke();
    scene.changes.poke();
    await scene.play();
    expect(scene.asked).toEqual([0, PAUSE]);
  });

  it("tries again by itself after a failure that passes", async () => {
    const lost = new ApiError("gone", 0);
    const scene = new Scene([lost, part(3)]);
    await scene.play();
    expect(scene.failures).toEqual([lost]);
    expect(scene.waits[0]).toBe(RETRY);
    expect(scene.emitted).toEqual(["3 of 3"]);
  });

  it("waits for a change after a failure that does not", async () => {
    const scene = new Scene([new ApiError("no such column: yy", 400)]);
    await scene.play();
    expect(scene.failures).toHaveLength(1);
    expect(scene.asked).toEqual([0]);
    expect(scene.waits).toEqual([]);
  });

  it("shows nothing that comes when it is over", async () => {
    const changes = new Changes();
    changes.poke();
    const emitted: string[] = [];
    let isOver = false;
    await follow({
      ask: async () => {
        isOver = true;
        return part(3);
      },
      changes,
      emit: ({ answer }) => emitted.push(answer),
      fail: (error) => emitted.push(String(error)),
      isOver: () => isOver,
      wait: async () => {},
      now: () => 0,
    });
    expect(emitted).toEqual([]);
  });
});

describe("a question", () => {
  afterEach(() => vi.unstubAllGlobals());

  const answers = (response: Response | Error) =>
    vi.stubGlobal("fetch", async () => {
      if (response instanceof Error) throw response;
      return response;
    });

  it("has an address without empty values", () => {
    expect(address("top", { run: 0, where: "", by: null, contains: "A&B" })).toBe("api/top?run=0&contains=A%26B");
  });

  it("is answered", async () => {
    answers(Response.json({ read: 1 }));
    expect(await ask("api/x")).toEqual({ read: 1 });
  });

  it("that is wrong says why in the server's words", async () => {
    answers(Response.json({ error: "no such column: yy" }, { status: 400 }));
    await expect(ask("api/x")).rejects.toMatchObject({ message: "no such column: yy", status: 400, passes: false });
  });

  it("without the key says where it is", async () => {
    answers(new Response("", { status: 401 }));
    await expect(ask("api/x")).rejects.toThrow("open the address that the terminal printed");
  });

  it("that nobody hears may be heard later", async () => {
    answers(new TypeError("fetch failed"));
    await expect(ask("api/x")).rejects.toMatchObject({ status: 0, passes: true });
  });
});
