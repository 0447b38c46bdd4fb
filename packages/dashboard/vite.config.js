import { defineConfig } from "vite";

// Two pages of static files that find their parts by relative addresses, so that any folder of any server will do.
export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    rollupOptions: { input: ["index.html", "playground.html"] },
  },
  worker: { format: "es" },
});
