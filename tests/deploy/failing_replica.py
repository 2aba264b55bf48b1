"""A replica as a proxy may meet it: ready, then gone, silent or out of its mind. Runs in a container of its own, on nothing but Python."""

import socketserver


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """Answer by the path, one request a connection."""
        path = self.rfile.readline().split(b" ")[1:2]
        while self.rfile.readline().strip():
            pass
        match path:
            case [b"/readyz"]:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            case [b"/patient"]:
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                self.rfile.read()
            case [b"/silent"]:
                self.rfile.read()
            case [b"/rubbish"]:
                self.wfile.write(b"rubbish\r\n\r\n")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


if __name__ == "__main__":
    _Server(("", 8888), _Conversation).serve_forever()
