#!/usr/bin/env python3
"""A ticket system for load tests: takes every event, PACE seconds each, and writes a line for it.
   backend.py PORT FILE PACE        a line: seconds, call, sequence, type, event id, bytes"""
import http.server
import json
import sys
import threading
import time

port, out, pace = int(sys.argv[1]), open(sys.argv[2], "a", buffering=1), float(sys.argv[3])
lock = threading.Lock()


class Backend(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        event = json.loads(body)
        time.sleep(pace)
        with lock:
            print(f"{time.time():.3f}", event["subject"], event["sequence"], event["type"], event["id"], len(body), file=out)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64
    allow_reuse_address = True
    daemon_threads = True


Server(("127.0.0.1", port), Backend).serve_forever()
