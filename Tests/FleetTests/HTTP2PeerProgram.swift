/// A client and a server of HTTP/2 for Python, by the package `h2` with its checks off and by frames of `hyperframe`.
/// Each case says what must come of it.
enum HTTP2PeerProgram {
    static let text = common + server + client

    private static let common = #"""
        import re, socket, sys, threading
        import h2.config, h2.connection, hpack
        import hyperframe.frame as F

        REQUEST = [(":method", "POST"), (":scheme", "http"), (":authority", "h"), (":path", "/stuck")]

        class Raw:
            def __init__(self, kind, flags, stream, payload):
                self.bytes = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
            def serialize(self): return self.bytes

        class Noise:
            def serialize(self): return b"HTTP/1.1 400 Bad Request\r\n\r\n"

        def data(stream, content, ends): return Raw(0, 1 if ends else 0, stream, content)

        # One side of a connection by h2, which checks nothing that it sends; what it would not send goes past it.
        class Line:
            def __init__(self, connection, client_side):
                self.socket = connection
                self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
                    client_side=client_side, header_encoding=None, validate_outbound_headers=False,
                    normalize_outbound_headers=False, validate_inbound_headers=False))
                self.decoder = hpack.Decoder()
                self.h2.initiate_connection()
                if not client_side and self.bytes(24)[:3] != b"PRI": raise EOFError
                self.flush()

            def flush(self): self.socket.sendall(self.h2.data_to_send())
            def send(self, *frames): self.socket.sendall(b"".join(frame.serialize() for frame in frames))
            def encode(self, fields): return self.h2.encoder.encode(fields)

            def head(self, stream, fields, ends=False):
                frame = F.HeadersFrame(stream, self.encode(fields))
                frame.flags.add("END_HEADERS")
                if ends: frame.flags.add("END_STREAM")
                self.send(frame)

            def bytes(self, count):
                got = b""
                while len(got) < count:
                    more = self.socket.recv(count - len(got))
                    if not more: raise EOFError
                    got += more
                return got

            # Settings and pings are acknowledged here.
            def receive(self):
                frame, length = F.Frame.parse_frame_header(memoryview(self.bytes(9)))
                frame.parse_body(memoryview(self.bytes(length)))
                if isinstance(frame, F.SettingsFrame) and "ACK" not in frame.flags: self.send(F.SettingsFrame(0, flags=["ACK"]))
                return frame

        """#

    private static let server = #"""
        # A server that answers POST /CASE in the wrong way of that name, and everything else well.
        def serve(port):
            listener = socket.create_server(("127.0.0.1", port), backlog=64)
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

        def serve_one(connection):
            line = Line(connection, client_side=False)
            try:
                while True:
                    frame = line.receive()
                    if isinstance(frame, F.HeadersFrame):
                        path = dict(line.decoder.decode(frame.data, raw=True))[b":path"].decode().strip("/")
                        if path == "stuck": continue
                        bad = ANSWERS.get(path)
                        if bad: bad[1](line, frame.stream_id)
                        else: well(line, frame.stream_id)
            except (OSError, EOFError):
                pass
            finally:
                connection.close()

        def well(line, stream):
            line.head(stream, [(":status", "200")])
            line.send(data(stream, b"well", True))

        def answer(*fields, ends=False):
            return lambda line, stream: line.head(stream, fields, ends)

        OK = (":status", "200")

        def after_head(*fields):
            def bad(line, stream, *frames):
                line.head(stream, [OK, *fields])
            return bad

        def then(first, *rest):
            def bad(line, stream):
                first(line, stream)
                for one in rest: one(line, stream)
            return bad

        def raw(make): return lambda line, stream: line.send(*make(stream))

        def content(text, ends=True): return raw(lambda stream: [data(stream, text, ends)])

        def flood(frame, count=3000): return raw(lambda stream: [frame] * count)

        def beyond(line, stream):
            line.head(stream, [OK])
            for _ in range(1600): line.send(data(stream, b"x" * 16384, False))

        def dropped(line, stream):
            line.head(stream, [OK, ("content-length", "9")])
            line.send(data(stream, b"abc", False))
            raise EOFError

        # What the client of a request is told: a status, and whether what follows is whole or cut.
        ANSWERS = {
            "no-status": ("502", answer(("x", "y"))),
            "no-fields": ("502", answer()),
            "status-twice": ("502", answer(OK, OK)),
            "two-statuses": ("502", answer(OK, (":status", "204"))),
            "status-of-two-digits": ("502", answer((":status", "20"))),
            "status-that-is-none": ("502", answer((":status", "abc"))),
            "empty-status": ("502", answer((":status", ""))),
            "status-101": ("502", answer((":status", "101"))),
            "late-status": ("502", answer(("x", "y"), OK)),
            "pseudo-of-requests": ("502", answer(OK, (":path", "/"))),
            "unknown-pseudo": ("502", answer(OK, (":other", "/"))),
            "upper-case": ("502", answer(OK, ("X-Upper", "y"))),
            "empty-name": ("502", answer(OK, ("", "y"))),
            "space-in-name": ("502", answer(OK, ("x y", "z"))),
            "crlf-in-name": ("502", answer(OK, ("x\r\ny", "z"))),
            "crlf-in-value": ("502", answer(OK, ("x", "y\r\nset-cookie: z"))),
            "nul-in-value": ("502", answer(OK, ("x", "y\0z"))),
            "space-before-value": ("502", answer(OK, ("x", " y"))),
            "connection": ("502", answer(OK, ("connection", "close"))),
            "keep-alive": ("502", answer(OK, ("keep-alive", "timeout=5"))),
            "transfer-encoding": ("502", answer(OK, ("transfer-encoding", "chunked"))),
            "upgrade": ("502", answer(OK, ("upgrade", "h2c"))),
            "two-lengths": ("502", answer(OK, ("content-length", "1"), ("content-length", "2"))),
            "length-that-is-none": ("502", answer(OK, ("content-length", "+4"))),
            "length-without-content": ("502", answer(OK, ("content-length", "5"), ends=True)),
            "interim-that-ends": ("502", answer((":status", "103"), ends=True)),
            "interim-flood": ("502", then(*[answer((":status", "103"))] * 50)),
            "less-than-length": ("200 cut", then(after_head(("content-length", "9")), content(b"abc"))),
            "more-than-length": ("200 cut", then(after_head(("content-length", "2")), content(b"abcdef"))),
            "interim-after-final": ("200 cut", then(after_head(), answer((":status", "103")))),
            "second-final": ("200 cut", then(after_head(), content(b"abc", False), answer(OK))),
            "pseudo-in-trailers": ("200 cut", then(after_head(), answer(OK, ends=True))),
            "crlf-in-trailers": ("200 cut", then(after_head(), answer(("x", "a\r\nb: c"), ends=True))),
            "connection-in-trailers": ("200 cut", then(after_head(), answer(("connection", "close"), ends=True))),
            "trailers-without-end": ("200 cut", then(after_head(), content(b"abc", False), answer(("x", "y")))),
            "content-without-head": ("502", content(b"abc")),
            "content-after-end": ("200 whole", then(well, content(b"more"))),
            "head-after-end": ("200 whole", then(well, answer(OK))),
            "content-on-idle": ("502", raw(lambda stream: [data(stream + 10, b"abc", False)])),
            "head-on-idle": ("502", lambda line, stream: line.head(stream + 10, [OK])),
            "content-of-connection": ("502", raw(lambda stream: [Raw(0, 0, 0, b"abc")])),
            "reset-on-idle": ("502", raw(lambda stream: [F.RstStreamFrame(stream + 10, error_code=1)])),
            "window-on-idle": ("502", raw(lambda stream: [F.WindowUpdateFrame(stream + 10, window_increment=9)])),
            "push": ("502", lambda line, stream: line.send(
                F.PushPromiseFrame(stream, promised_stream_id=2, data=line.encode(REQUEST), flags=["END_HEADERS"]))),
            "goaway-storm": ("502", flood(F.GoAwayFrame(0, last_stream_id=2**31 - 1))),
            "goaway-of-stream": ("502", raw(lambda stream: [Raw(7, 0, stream, bytes(8))])),
            "goaway-of-nothing": ("502", raw(lambda stream: [F.GoAwayFrame(0, last_stream_id=0)])),
            "settings-storm": ("502", flood(F.SettingsFrame(0))),
            "ping-storm": ("502", flood(F.PingFrame(0, opaque_data=bytes(8)))),
            "empty-content-storm": ("200 cut", then(after_head(), raw(lambda stream: [data(stream, b"", False)] * 3000))),
            "settings-push": ("502", raw(lambda stream: [F.SettingsFrame(0, settings={2: 1})])),
            "settings-window": ("502", raw(lambda stream: [F.SettingsFrame(0, settings={4: 2**31})])),
            "window-of-nothing": ("502", raw(lambda stream: [Raw(8, 0, stream, bytes(4))])),
            "window-too-large": ("502", raw(lambda stream: [F.WindowUpdateFrame(stream, window_increment=2**31 - 1)])),
            "frame-too-large": ("502", raw(lambda stream: [data(stream, b"x" * 20000, False)])),
            "reset": ("502", raw(lambda stream: [F.RstStreamFrame(stream, error_code=2)])),
            "reset-without-error": ("502", raw(lambda stream: [F.RstStreamFrame(stream, error_code=0)])),
            "fields-of-nothing": ("502", raw(lambda stream: [Raw(1, 4, stream, b"\xff\xff\x03")])),
            "fields-without-end": ("502", raw(lambda stream: [Raw(1, 0, stream, b"\x88")] + [Raw(9, 0, stream, b"")] * 100)),
            "content-within-head": ("502", raw(lambda stream: [Raw(1, 0, stream, b"\x88"), data(stream, b"abc", True)])),
            "noise": ("502", raw(lambda stream: [Noise()])),
            "dropped": ("200 cut", dropped),
            "beyond-window": ("200 cut", beyond),
        }

        """#

    private static let client = #"""
        def say(what, is_right, detail=""): print(what, "ok" if is_right else "WRONG", detail, flush=True)

        # A client that does nothing wrong, on one connection from the beginning to the end.
        class Canary:
            def __init__(self, port):
                self.line, self.stream = Line(socket.create_connection(("127.0.0.1", port), 10), True), -1

            def is_served(self):
                self.stream += 2
                self.line.head(self.stream, [*REQUEST[:3], (":path", "/well")], ends=True)
                got = b""
                while True:
                    frame = self.line.receive()
                    if frame.stream_id != self.stream: continue
                    if isinstance(frame, F.RstStreamFrame): return False
                    if isinstance(frame, F.HeadersFrame): self.line.decoder.decode(frame.data)
                    if isinstance(frame, F.DataFrame): got += frame.data
                    if "END_STREAM" in frame.flags: return got == b"well"

        # The first thing that comes of what was sent: a reset, an error of the connection, a status, or nothing.
        def outcome(line, expected):
            answers = 0
            ping = F.PingFrame(0, opaque_data=b"is alive")
            try:
                if not expected.startswith("status"): line.send(ping)
                while True:
                    frame = line.receive()
                    is_reset = isinstance(frame, F.RstStreamFrame) and frame.error_code
                    if is_reset and not expected.startswith("goaway"): return "reset %d" % frame.error_code
                    if isinstance(frame, F.GoAwayFrame) and frame.error_code: return "goaway %d" % frame.error_code
                    if isinstance(frame, F.HeadersFrame):
                        status = dict(line.decoder.decode(frame.data))[":status"]
                        if expected.startswith("status"): return "status " + status
                    if isinstance(frame, F.PingFrame) and "ACK" in frame.flags and frame.opaque_data == ping.opaque_data:
                        answers += 1
                        if answers == 2: return "nothing"
                        line.send(ping)
            except EOFError:
                return "over"
            except OSError as error:
                return type(error).__name__

        def fields(*more, without=(), **replaced):
            own = [(name, replaced.get(name[1:], value)) for name, value in REQUEST if name not in without]
            return lambda line: line.h2.send_headers(1, own + list(more), end_stream=True) or line.flush()

        def stuck(line, *more, ends=False): line.head(1, REQUEST + list(more), ends)

        def opened(*frames, more=(), ends=False):
            def bad(line):
                stuck(line, *more, ends=ends)
                line.send(*frames)
            return bad

        def frames(*some): return lambda line: line.send(*some)

        def trailers(*some, ends=True):
            def bad(line):
                stuck(line)
                line.send(data(1, b"abc", False))
                line.head(1, some, ends)
            return bad

        def resets(line):
            for number in range(1500):
                line.head(2 * number + 1, REQUEST, True)
                line.send(F.RstStreamFrame(2 * number + 1, error_code=8))

        def caused_resets(line):
            for number in range(1500):
                line.head(2 * number + 1, [*REQUEST, ("X-Upper", "y")])

        def again(line):
            line.head(1, [*REQUEST[:3], (":path", "/well")], True)
            while "END_STREAM" not in line.receive().flags: pass

        def over(*some):
            def bad(line):
                again(line)
                line.send(*some)
            return bad

        CASES = {
            "upper-case": ("reset 1", fields(("X-Upper", "y"))),
            "empty-name": ("reset 1", fields(("", "y"))),
            "space-in-name": ("reset 1", fields(("x y", "z"))),
            "colon-in-name": ("reset 1", fields(("x:y", "z"))),
            "crlf-in-name": ("reset 1", fields(("x\r\ny", "z"))),
            "crlf-in-value": ("reset 1", fields(("x", "y\r\ncontent-length: 3"))),
            "nul-in-value": ("reset 1", fields(("x", "y\0z"))),
            "space-before-value": ("reset 1", fields(("x", " y"))),
            "connection": ("reset 1", fields(("connection", "close"))),
            "keep-alive": ("reset 1", fields(("keep-alive", "timeout=5"))),
            "proxy-connection": ("reset 1", fields(("proxy-connection", "close"))),
            "transfer-encoding": ("reset 1", fields(("transfer-encoding", "chunked"))),
            "upgrade": ("reset 1", fields(("upgrade", "h2c"))),
            "te": ("reset 1", fields(("te", "gzip"))),
            "no-fields": ("reset 1", lambda line: line.head(1, [], True)),
            "no-method": ("reset 1", fields(without=[":method"])),
            "no-scheme": ("reset 1", fields(without=[":scheme"])),
            "no-path": ("reset 1", fields(without=[":path"])),
            "method-twice": ("reset 1", fields((":method", "GET"))),
            "path-twice": ("reset 1", fields((":path", "/"))),
            "late-pseudo": ("reset 1", fields(("x", "y"), (":path", "/"), without=[":path"])),
            "unknown-pseudo": ("reset 1", fields((":other", "x"))),
            "status": ("reset 1", fields((":status", "200"))),
            "protocol": ("reset 1", fields((":protocol", "websocket"))),
            "empty-path": ("reset 1", fields(path="")),
            "space-in-path": ("reset 1", fields(path="/a b")),
            "crlf-in-path": ("reset 1", fields(path="/ HTTP/1.1\r\nx: y\r\n\r\nGET /")),
            "space-in-method": ("reset 1", fields(method="GET /x HTTP/1.1\r\nx:")),
            "crlf-in-authority": ("reset 1", fields(authority="a\r\nx: y")),
            "user-in-authority": ("status 400", fields(authority="u@a")),
            "other-host": ("reset 1", fields(("host", "other"))),
            "two-lengths": ("reset 1", fields(("content-length", "0"), ("content-length", "1"))),
            "length-that-is-none": ("reset 1", fields(("content-length", "+0"))),
            "alias-of-length": ("status 400", fields(("content_length", "3"))),
            "length-without-content": ("reset 1", fields(("content-length", "5"))),
            "less-than-length": ("reset 1", opened(data(1, b"abc", True), more=[("content-length", "9")])),
            "more-than-length": ("reset 1", opened(data(1, b"abcdef", True), more=[("content-length", "2")])),
            "pseudo-in-trailers": ("reset 1", trailers((":path", "/"))),
            "status-in-trailers": ("reset 1", trailers((":status", "200"))),
            "crlf-in-trailers": ("reset 1", trailers(("x", "a\r\nb: c"))),
            "length-in-trailers": ("nothing", trailers(("content-length", "3"))),
            "connection-in-trailers": ("reset 1", trailers(("connection", "close"))),
            "trailers-without-end": ("reset 1", trailers(("x", "y"), ends=False)),
            "content-after-end": ("goaway 5", opened(data(1, b"abc", True), ends=True)),
            "head-after-end": ("goaway 5", lambda line: (stuck(line, ends=True), stuck(line, ends=True))),
            "content-when-over": ("nothing", over(data(1, b"abc", True))),
            "reset-when-over": ("nothing", over(F.RstStreamFrame(1, error_code=8))),
            "content-on-idle": ("goaway 1", frames(data(1, b"abc", False))),
            "content-of-connection": ("goaway 1", frames(data(0, b"abc", False))),
            "reset-on-idle": ("goaway 1", frames(F.RstStreamFrame(1, error_code=8))),
            "window-on-idle": ("goaway 1", frames(F.WindowUpdateFrame(1, window_increment=9))),
            "continuation-on-idle": ("goaway 1", frames(Raw(9, 4, 1, b"\x82"))),
            "head-on-even": ("goaway 1", lambda line: line.head(2, REQUEST, True)),
            "push": ("goaway 1", lambda line: (stuck(line), line.send(
                F.PushPromiseFrame(1, promised_stream_id=2, data=line.encode(REQUEST), flags=["END_HEADERS"])))),
            "window-of-nothing": ("goaway 1", opened(Raw(8, 0, 1, bytes(4)))),
            "connection-window-of-nothing": ("goaway 1", frames(Raw(8, 0, 0, bytes(4)))),
            "window-too-large": ("reset 3", opened(F.WindowUpdateFrame(1, window_increment=2**31 - 1))),
            "connection-window-too-large": ("goaway 3", frames(F.WindowUpdateFrame(0, window_increment=2**31 - 1))),
            "beyond-window": ("reset 3", opened(*[data(1, b"x" * 16000, False)] * 14)),
            "frame-too-large": ("goaway 6", opened(data(1, b"x" * 16385, False))),
            "settings-push": ("goaway 1", frames(F.SettingsFrame(0, settings={2: 2}))),
            "settings-window": ("goaway 3", frames(F.SettingsFrame(0, settings={4: 2**31}))),
            "ping-of-stream": ("goaway 1", frames(Raw(6, 0, 1, bytes(8)))),
            "goaway-of-stream": ("goaway 1", frames(Raw(7, 0, 1, bytes(8)))),
            "fields-of-nothing": ("goaway 9", frames(Raw(1, 5, 1, b"\xff\xff\x03"))),
            "content-within-head": ("goaway 1", frames(Raw(1, 0, 1, b"\x82"), data(1, b"abc", True))),
            "fields-without-end": ("goaway 11", frames(Raw(1, 1, 1, b"\x82"), *[Raw(9, 0, 1, b"")] * 100)),
            "goaway": ("over", frames(F.GoAwayFrame(0, last_stream_id=0))),
            "goaway-storm": ("goaway 11", opened(*[F.GoAwayFrame(0, last_stream_id=0)] * 3000)),
            "settings-storm": ("goaway 11", frames(*[F.SettingsFrame(0)] * 3000)),
            "ping-storm": ("goaway 11", frames(*[F.PingFrame(0, opaque_data=bytes(8))] * 3000)),
            "priority-storm": ("goaway 11", frames(*[Raw(2, 0, 1, bytes(5))] * 3000)),
            "window-storm": ("goaway 11", frames(*[F.WindowUpdateFrame(0, window_increment=1)] * 3000)),
            "empty-content-storm": ("goaway 11", opened(*[data(1, b"", False)] * 3000)),
            "reset-storm": ("goaway 11", resets),
            "storm-of-caused-resets": ("goaway 11", caused_resets),
        }

        def as_client(port):
            canary = Canary(port)
            for name, (expected, bad) in CASES.items():
                line = Line(socket.create_connection(("127.0.0.1", port), 10), True)
                try:
                    bad(line)
                except OSError:
                    pass
                got = outcome(line, expected)
                line.socket.close()
                say("client " + name, got == expected and canary.is_served(), got)

        # What a client of HTTP/1.1 gets. It waits a while before it reads, where windows are to be overrun.
        def told(port, name):
            with socket.create_connection(("127.0.0.1", port), 20) as client:
                client.sendall(b"POST /%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % name.encode())
                if name == "beyond-window": threading.Event().wait(1)
                got = b""
                while more := client.recv(1 << 16): got += more
            status = [code for code in re.findall(rb"HTTP/1.1 (\d\d\d) ", got) if code >= b"200"][0].decode()
            return status if status == "502" else status + (" whole" if got.endswith(b"\r\n0\r\n\r\n") else " cut")

        def as_backend(port):
            canary = Canary(port)
            for name, (expected, _) in ANSWERS.items():
                got = told(port, name)
                say("backend " + name, got == expected and canary.is_served(), got)

        if sys.argv[1] == "serve":
            serve(int(sys.argv[3]))
        else:
            as_client(int(sys.argv[2]))
            as_backend(int(sys.argv[2]))

        """#
}
