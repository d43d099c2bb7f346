/** A path as a graph: what was chosen, thick, and what would have been likely instead. */

import { useEffect, useRef, useState } from "preact/hooks";
import { probability } from "./format";
import { useMedia } from "./hooks";
import { across, down, type Edge, NODE, type Node } from "./layout";
import { Scroll } from "./panel";
import type { Step } from "./types";

export function Path({ steps }: { steps: Step[] }) {
  const isNarrow = useMedia("(max-width: 640px)");
  const box = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(300);
  useEffect(() => {
    if (!box.current) return;
    const observer = new ResizeObserver(([entry]) => entry && setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  const layout = isNarrow ? down(steps, width) : across(steps);
  const label = `Path of ${steps.length} steps; the table below says the same in numbers.`;
  return (
    <Scroll label="path" class="path" boxRef={box}>
      <svg width={layout.width} height={layout.height} role="img" aria-label={label}>
        {layout.edges.map((edge, n) => (
          <Line key={`e${n}`} edge={edge} isDown={isNarrow} />
        ))}
        {layout.nodes.map((node, n) => (
          <State key={`n${n}`} node={node} />
        ))}
      </svg>
    </Scroll>
  );
}

function State({ node }: { node: Node }) {
  return (
    <g class={node.isChosen ? "state chosen" : "state"}>
      <title>{node.full}</title>
      <rect x={node.x} y={node.y} width={node.width} height={NODE} rx={6} />
      <text x={node.x + node.width / 2} y={node.y + NODE / 2} dy="0.35em" text-anchor="middle">
        {node.label}
      </text>
    </g>
  );
}

/** An edge as thick as it is likely. */
function Line({ edge, isDown }: { edge: Edge; isDown: boolean }) {
  const { from, to, isChosen, forward, backward } = edge;
  const width = forward === null ? 2 : 1 + 6 * forward;
  const bend = isChosen ? from : [from[0] + (to[0] - from[0]) * (isDown ? 0.4 : 0.35), from[1]];
  const back = isChosen ? to : [from[0] + (to[0] - from[0]) * (isDown ? 0.3 : 0.25), to[1]];
  return (
    <g class={isChosen ? "edge chosen" : "edge"}>
      <path d={`M${from} C${bend} ${back} ${to}`} stroke-width={width} />
      {isChosen ? (
        <Numbers edge={edge} isDown={isDown} thick={width} />
      ) : (
        forward !== null && (
          <text x={to[0] - 4} y={to[1] - 3 - width / 2} text-anchor="end">
            {probability(forward)}
          </text>
        )
      )}
      {backward !== null && <title>{`P_F ${probability(forward ?? 0)}, P_B ${probability(backward)}`}</title>}
    </g>
  );
}

/** P_F over a chosen edge, P_B under it; beside it when it leads down. */
function Numbers({ edge, isDown, thick }: { edge: Edge; isDown: boolean; thick: number }) {
  const { from, to, forward, backward } = edge;
  if (forward === null || backward === null) return null;
  const [x, y] = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2];
  if (isDown) {
    return (
      <>
        <text class="forward" x={x + 10} y={y + 4}>
          {probability(forward)}
        </text>
        <text class="backward" x={x + 10} y={y + 20}>
          {probability(backward)}
        </text>
      </>
    );
  }
  return (
    <>
      <text class="forward" x={x} y={y - 4 - thick / 2} text-anchor="middle">
        {probability(forward)}
      </text>
      <text class="backward" x={to[0] - 5} y={y + 12 + thick / 2} text-anchor="end">
        {probability(backward)}
      </text>
    </>
  );
}
