// A GELF server on port 12201: each message it understands is a line of JSON on stdout.
const server = require("graygelf/server")();
server.on("message", (gelf) => console.log(JSON.stringify(gelf)));
server.listen(12201);
server._udp.on("listening", () => console.log(JSON.stringify("ready")));
