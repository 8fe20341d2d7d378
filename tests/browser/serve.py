"""The app as it is, in a process that also says which modules it holds: python -m tests.browser.serve PORT."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Modules(BaseHTTPRequestHandler):
    """Answers any GET with the names in sys.modules."""

    def do_GET(self) -> None:
        body = json.dumps(sorted(sys.modules)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the log is the app's."""


if __name__ == "__main__":
    side = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Modules)
    threading.Thread(target=side.serve_forever, daemon=True).start()
    import app

    sys.exit(app.main())
