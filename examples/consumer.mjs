// A webhook receiver for Node without packages: prints each signal once, after checking who sent it
// (docs/book/gateway.md).  usage: ASSAY_WEBHOOK_SECRET=whsec_… node consumer.mjs PORT
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const last = new Map();

function isGenuine(header, body) {
  const [t, v1] = header.split(",").map((part) => part.split("=")[1]);
  const expected = createHmac("sha256", process.env.ASSAY_WEBHOOK_SECRET).update(`${t}.`).update(body).digest();
  const given = Buffer.from(v1, "hex");
  return given.length === expected.length && timingSafeEqual(given, expected) && Math.abs(Date.now() / 1000 - t) < 300;
}

const server = createServer(async (request, response) => {
  const chunks = await request.toArray();
  const body = Buffer.concat(chunks);
  if (!isGenuine(request.headers["assay-signature"] ?? "t=0,v1=", body)) return response.writeHead(401).end();
  const signal = JSON.parse(body);
  if (request.headers["assay-event"] === "signal" && signal.seq > (last.get(signal.model_id) ?? -1)) {
    last.set(signal.model_id, signal.seq);
    console.log(signal.seq, signal.ts, signal.symbol, signal.action, signal.price_ref);
  }
  response.writeHead(204).end();
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
