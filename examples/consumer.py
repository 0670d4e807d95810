#!/usr/bin/env python3
"""A webhook receiver: prints each signal once, after checking who sent it (docs/book/gateway.md).

usage: ASSAY_WEBHOOK_SECRET=whsec_… consumer.py PORT [PUBLIC_KEY]     PORT 0 takes a free one

With the model's PUBLIC_KEY its own signature is checked too, which needs the package `cryptography`."""
import hashlib, hmac, http.server, json, os, sys, time

SECRET, KEY = os.environ["ASSAY_WEBHOOK_SECRET"].encode(), sys.argv[2] if len(sys.argv) > 2 else None
last = {}

def is_genuine(header, body):
    t, v1 = (part.split("=", 1)[1] for part in header.split(","))
    expected = hmac.new(SECRET, t.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, v1) and abs(time.time() - int(t)) < 300

def is_signed(signal):
    from auditor import is_signed as check
    return check(signal, KEY)

class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(min(int(self.headers["Content-Length"]), 65536))
        good = is_genuine(self.headers["Assay-Signature"], body)
        message = json.loads(body) if good else {}
        if good and self.headers["Assay-Event"] == "signal":
            good = KEY is None or is_signed(message)
            if good and message["seq"] > last.get(message["model_id"], -1):  # A signal may come twice.
                last[message["model_id"]] = message["seq"]
                print(message["seq"], message["ts"], message["symbol"], message["action"], message["price_ref"], flush=True)
        self.send_response(204 if good else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
