import { defineConfig } from "vite";

/** Where `npm run dev` sends questions: a `thermoflow replay serve` that runs already. */
const server = process.env.THERMOFLOW_SERVE ?? "http://127.0.0.1:8070";

export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    // The library of charts is most of it; loopback does not mind.
    chunkSizeWarningLimit: 1024,
    modulePreload: { polyfill: false },
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  server: { proxy: { "/api": server } },
});
