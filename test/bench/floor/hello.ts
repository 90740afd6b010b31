console.log("hello");

// One program is the floor of every start: it says hello, or serves it on the port given until it is ended.
const port = process.argv[2];
if (port) Bun.serve({ hostname: "127.0.0.1", port: Number(port), fetch: () => new Response("hello") });

export {};
