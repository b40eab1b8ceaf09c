import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("Socket.IO, by its own servers and clients for Python")
    struct SocketIOTests {
        /// A Python with the packages python-socketio, aiohttp and websocket-client.
        static let python = PythonPeers.python(importing: "socketio, aiohttp, websocket")

        /// `serve NAME PORT` is a server; `ask PORT,PORT,… CLIENTS` prints for each client its transport and three
        /// times the name of the server that answered. Each request of a client goes to the next of the ports.
        static let program = """
            import asyncio, sys
            import aiohttp, socketio
            from aiohttp import web

            def serve(name, port):
                server = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*")
                application = web.Application()
                server.attach(application)
                @server.event
                async def who(sid, data):
                    return name
                web.run_app(application, host="127.0.0.1", port=int(port), print=None)

            async def spread(ports):
                count = 0
                async def pipe(reader, writer):
                    try:
                        while data := await reader.read(65536):
                            writer.write(data)
                            await writer.drain()
                    except ConnectionError:
                        pass
                    finally:
                        writer.close()
                async def accepted(reader, writer):
                    nonlocal count
                    port = ports[count % len(ports)]
                    count += 1
                    above = await asyncio.open_connection("127.0.0.1", port)
                    await asyncio.gather(pipe(reader, above[1]), pipe(above[0], writer))
                server = await asyncio.start_server(accepted, "127.0.0.1", 0)
                return server, server.sockets[0].getsockname()[1]

            async def client(port):
                async with aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(force_close=True), cookie_jar=aiohttp.CookieJar(unsafe=True)
                ) as session:
                    sio = socketio.AsyncClient(http_session=session, reconnection=False)
                    await sio.connect(f"http://127.0.0.1:{port}", transports=["polling", "websocket"])
                    names = [await sio.call("who", "", timeout=20) for _ in range(3)]
                    transport = sio.transport()
                    await sio.disconnect()
                    return transport, names

            async def ask(ports, clients):
                server, port = await spread([int(p) for p in ports.split(",")])
                for outcome in await asyncio.gather(*(client(port) for _ in range(int(clients)))):
                    print(outcome[0], *outcome[1], flush=True)

            async def polled(ports):
                import httpx, itertools, json
                turn = itertools.cycle(ports)
                place = lambda: f"http://127.0.0.1:{next(turn)}/socket.io/?EIO=4&transport=polling"
                async with httpx.AsyncClient(http1=False, http2=True, timeout=20) as session:
                    first = await session.get(place())
                    sid = "&sid=" + json.loads(first.text[1:])["sid"]
                    await session.post(place() + sid, content="40")
                    await session.get(place() + sid)
                    names = []
                    for number in range(3):
                        await session.post(place() + sid, content='42%d["who",""]' % number)
                        answer = ""
                        while not answer.startswith("43"):
                            packets = (await session.get(place() + sid)).text.split("\\x1e")
                            answer = next((one for one in packets if one.startswith("43")), "")
                        names.append(json.loads(answer[answer.index("["):])[0])
                    return first.http_version, names

            async def poll(ports, clients):
                ports = [int(p) for p in ports.split(",")]
                for outcome in await asyncio.gather(*(polled(ports) for _ in range(int(clients)))):
                    print(outcome[0], *outcome[1], flush=True)

            if sys.argv[1] == "serve":
                serve(sys.argv[2], sys.argv[3])
            elif sys.argv[1] == "poll":
                asyncio.run(poll(sys.argv[2], sys.argv[3]))
            else:
                asyncio.run(ask(sys.argv[2], sys.argv[3]))
            """

        private static func withServers(_ body: @escaping @Sendable (Fleet, [String]) throws -> Void) async throws {
            let python = try #require(Self.python)
            let ports = try (0..<3).map { _ in try LoopbackPort.free() }
            var options = Fleet.Options(replicas: 3, backends: 0)
            options.ownBackends = ports
            options.sticky = "cookie: { name: io }"
            try await withFleet(options) { fleet in
                try await Threads.run {
                    let program = "\(fleet.directory)/chat.py"
                    try TextFile.write(Self.program, to: program)
                    try PythonPeers.serve(fleet, [python, program]) { try body(fleet, [python, program]) }
                }
            }
        }

        @Test(
            "polls over HTTP/2, each request at the next of three replicas, and stays with its server",
            .enabled(
                if: python != nil && PythonPeers.python(importing: "httpx, h2") != nil,
                "SKIPPED: there is no Python with python-socketio, aiohttp, httpx and h2"))
        func pollingOverHTTP2() async throws {
            try await Self.withServers { fleet, command in
                let ports = fleet.ports.map(String.init).joined(separator: ",")
                let outcome = try CommandOutcome(running: command + ["poll", ports, "20"])
                let clients = outcome.output.split(separator: "\n").map { $0.split(separator: " ") }
                #expect(clients.count == 20, "\(outcome.errors)")
                #expect(clients.allSatisfy { $0.count == 4 && $0[0] == "HTTP/2" && Set($0[1...]).count == 1 })
                #expect(Set(clients.map { $0[1] }).count > 1)
            }
        }

        @Test(
            "begins with polling and goes on by WebSocket at the same server, its requests spread over three replicas",
            .enabled(if: python != nil, "SKIPPED: there is no Python with python-socketio and aiohttp"))
        func polling() async throws {
            try await Self.withServers { fleet, command in
                let clients = try PythonPeers.ask(fleet, command, 20)
                #expect(clients.count == 20)
                #expect(clients.allSatisfy { $0.count == 4 && $0[0] == "websocket" && Set($0[1...]).count == 1 })
                #expect(Set(clients.map { $0[1] }).count > 1)
            }
        }
    }
}
