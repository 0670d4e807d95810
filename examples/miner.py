#!/usr/bin/env python3
"""A miner for liquidity rounds (docs/book/miners.md): a range of fixed width, placed once.

usage: miner.py KEYFILE HOST:PORT VALIDATOR...     KEYFILE: 32 raw bytes; VALIDATOR: public keys that may ask"""
import hashlib, json, math, os, pathlib, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

def decide(query):
    if query["current_positions"]:
        return query["current_positions"]
    step, tick = query["tick_spacing"], math.floor(2 * math.log(int(query["sqrt_price_x96"]) / 2**96, 1.0001))
    lower, have = (tick // step - 5) * step, query["inventory_remaining"]
    return [{"tick_lower": lower, "tick_upper": lower + 11 * step, "allocation0": have["amount0"], "allocation1": have["amount1"]}]

class Miner(BaseHTTPRequestHandler):
    timeout = 10

    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 65_536))
        version, sender, receiver, nonce, signature = (self.headers.get("X-Assay-" + name, "") for name in ("Version", "Key", "Receiver", "Nonce", "Signature"))
        payload = "\n".join(["assay/1", "ed25519", "POST", self.path, sha256(body), nonce, sender, receiver])
        try:
            if version != "assay/1" or receiver != me or sender not in validators or not -10e9 <= int(nonce) - time.time_ns() <= 2e9:
                raise ValueError("not an expected sender, receiver or time")
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(sender)).verify(bytes.fromhex(signature), payload.encode())
            with lock:
                nonces.difference_update([old for old in nonces if time.time_ns() - old[1] > 13e9])
                if (sender, int(nonce)) in nonces:
                    raise ValueError("nonce used before")
                nonces.add((sender, int(nonce)))
        except Exception as error:
            return self.reply(401, {"error": "refused", "message": repr(error)})
        asked, signed = json.loads(body), ("assay/1-response", "ed25519", sha256(payload.encode()))
        place = (sender, asked["job_id"], asked["round_id"], str(asked["checkpoint" if self.path == "/Reveal" else "block_number"]))
        with lock:
            if self.path == "/RebalanceQuery" and place not in sealed:
                salt, answer = os.urandom(32).hex(), json.dumps({"accepted": True, "desired_positions": decide(asked)})
                seal = "".join(f"{len(text.encode())}:{text}," for text in ("assay/seal/1", *place[1:], me, salt, answer))
                sealed[place] = (sha256(seal.encode()), salt, answer)
                while len(sealed) > 1_000:
                    sealed.pop(next(iter(sealed)))
            commitment, salt, answer = sealed.get(place, ("", "", ""))
        if self.path == "/RebalanceQuery":
            return self.reply(200, {"commitment": commitment}, signed, sender)
        if self.path == "/Reveal" and commitment and commitment == asked["commitment"]:
            return self.reply(200, {"salt": salt, "answer": answer}, signed, sender)
        self.reply(404, {"error": "unknown", "message": "no such path or commitment"}, signed, sender)

    def reply(self, status, value, signed=None, receiver=""):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if signed:
            text = "\n".join([*signed, str(status), sha256(body), me, receiver])
            for name, value in (("Version", signed[0]), ("Key", me), ("Receiver", receiver), ("Signature", key.sign(text.encode()).hex())):
                self.send_header("X-Assay-" + name, value)
        self.end_headers()
        self.wfile.write(body)

if len(sys.argv) < 4:
    sys.exit(__doc__)
sha256 = lambda data: hashlib.sha256(data).hexdigest()
key, validators = Ed25519PrivateKey.from_private_bytes(pathlib.Path(sys.argv[1]).read_bytes()), set(sys.argv[3:])
me, sealed, nonces, lock = key.public_key().public_bytes_raw().hex(), {}, set(), threading.Lock()
host, port = sys.argv[2].rsplit(":", 1)
server = ThreadingHTTPServer((host, int(port)), Miner)
print(f"miner {me} on http://{host}:{server.server_port}", flush=True)
server.serve_forever()
