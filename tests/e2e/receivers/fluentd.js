// A Fluentd server on port 24224: each entry is a line of JSON on stdout.
const { FluentServer } = require("@fluent-org/logger");
const server = new FluentServer({ listenOptions: { port: 24224 } });
server.on("entry", (tag, time, record) => console.log(JSON.stringify({ tag, time: Number(time), record })));
server.listen().then(() => console.log(JSON.stringify("ready")));
