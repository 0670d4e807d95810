#!/usr/bin/env python3
"""A miner for liquidity rounds (docs/book/miners.md): a range of fixed width around the price, placed once.

usage: miner.py KEYFILE HOST:PORT VALIDATOR...     KEYFILE: 32 raw bytes; VALIDATOR: a public key that may ask"""
import hashlib, json, math, os, pathlib, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
NAMES, sealed, nonces, lock = ("Version", "Key", "Receiver", "Nonce", "Signature"), {}, set(), threading.Lock()
sha256 = lambda data: hashlib.sha256(data).hexdigest()

def decide(query):
    step, tick = query["tick_spacing"], math.floor(2 * math.log(int(query["sqrt_price_x96"]) / 2**96, 1.0001))
    lower, have = (tick // step - 5) * step, query["inventory_remaining"]
    new = {"tick_lower": lower, "tick_upper": lower + 11 * step, "allocation0": have["amount0"], "allocation1": have["amount1"]}
    return {"accepted": True, "desired_positions": query["current_positions"] or [new]}

class Miner(BaseHTTPRequestHandler):
    timeout = 10

    def do_POST(self):
        body, now = self.rfile.read(max(0, min(int(self.headers.get("Content-Length", 0)), 65_536))), time.time_ns()
        version, sender, receiver, nonce, signature = (self.headers.get(f"X-Assay-{name}", "") for name in NAMES)
        payload = "\n".join(["assay/1", "ed25519", "POST", self.path, sha256(body), nonce, sender, receiver]).encode()
        try:
            if version != "assay/1" or receiver != me or sender not in validators or not -2e9 <= now - int(nonce) <= 10e9:
                raise ValueError("another version, receiver, sender or time than expected")
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(sender)).verify(bytes.fromhex(signature), payload)
            with lock:  # remembered only now, so that nobody can use up another's nonces
                nonces.difference_update([seen for seen in nonces if now - seen[1] > 20e9])
                if (sender, int(nonce)) in nonces:
                    raise ValueError("this nonce was used before")
                nonces.add((sender, int(nonce)))
        except Exception as error:
            return self.reply(401, {"error": "refused", "message": repr(error)})
        asked, request, query = json.loads(body), sha256(payload), self.path == "/RebalanceQuery"
        place = (sender, asked["job_id"], asked["round_id"], str(asked["block_number" if query else "checkpoint"]))
        with lock:  # asked again, the answer is the one that was sealed first
            if query and place not in sealed:
                salt, answer = os.urandom(32).hex(), json.dumps(decide(asked))
                texts = ("assay/seal/1", *place[1:], me, salt, answer)
                sealed[place] = sha256("".join(f"{len(text.encode())}:{text}," for text in texts).encode()), salt, answer
                while len(sealed) > 1_000:
                    del sealed[next(iter(sealed))]
            commitment, salt, answer = sealed.get(place, (None, None, None))
        if not query and asked["commitment"] != commitment:
            return self.reply(404, {"error": "unknown", "message": "no such commitment"}, request, sender)
        self.reply(200, {"commitment": commitment} if query else {"salt": salt, "answer": answer}, request, sender)

    def reply(self, status, value, request="", to=""):
        body = json.dumps(value).encode()
        signed = "\n".join(["assay/1-response", "ed25519", request, str(status), sha256(body), me, to]).encode()
        self.send_response(status)
        for name, text in zip(NAMES, ("assay/1-response", me, to, None, key.sign(signed).hex())):
            if request and text:
                self.send_header(f"X-Assay-{name}", text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

if len(sys.argv) < 4:
    sys.exit(__doc__)
key, validators = Ed25519PrivateKey.from_private_bytes(pathlib.Path(sys.argv[1]).read_bytes()), set(sys.argv[3:])
me, (host, port) = key.public_key().public_bytes_raw().hex(), sys.argv[2].rsplit(":", 1)
server = ThreadingHTTPServer((host, int(port)), Miner)
print(f"miner {me} on http://{host}:{server.server_port}", flush=True)
server.serve_forever()
