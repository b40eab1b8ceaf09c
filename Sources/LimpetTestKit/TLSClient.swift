import Foundation

/// Clients of TLS, by the OpenSSL of Python: a list of connections, made one after the other in one process, so that a
/// later one can resume the session of an earlier one.
package struct TLSClient: Sendable {
    /// A connection: what is offered, and what is sent.
    package struct Connection: Encodable, Sendable {
        package var port: Int
        package var serverName: String?
        /// `TLSv1_2` or `TLSv1_3`; nil: both.
        package var version: String?
        /// For TLS 1.2, in OpenSSL's words.
        package var ciphers: String?
        package var protocols: [String] = []
        /// The path of the authorities; nil: the server's certificate is not verified.
        package var authority: String?
        package var certificate: String?
        package var key: String?
        /// The address that it comes from; nil: the system's choice.
        package var source: String?
        /// The index of the connection whose session is resumed.
        package var resumes: Int?
        package var request = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"
        /// Closes after the request without a word of TLS.
        package var isAbrupt = false
        /// Says that it closes after the request, and reads on.
        package var closesFirst = false

        package init(port: Int, serverName: String? = nil, version: String? = nil) {
            self.port = port
            self.serverName = serverName
            self.version = version
        }
    }

    /// What became of a connection.
    package struct Outcome: Decodable, Equatable, Sendable {
        package var version: String?
        package var cipher: String?
        package var isResumed: Bool?
        package var negotiated: String?
        /// The DNS names of the server's certificate.
        package var names: [String]?
        package var response: String?
        /// Whether the response ended with a close_notify.
        package var endsClean: Bool?
        package var error: String?

        package var status: Int? { response.flatMap { Int($0.dropFirst(9).prefix(3)) } }
        package var body: String? {
            guard let response, let end = response.range(of: "\r\n\r\n") else { return nil }
            return String(response[end.upperBound...])
        }
    }

    /// The Python to use.
    package static var python: String {
        ProcessInfo.processInfo.environment["LIMPET_TEST_PYTHON"].flatMap { $0.isEmpty ? nil : $0 }
            ?? "/usr/bin/python3"
    }

    /// Makes the connections. Blocks.
    package static func run(_ connections: [Connection]) throws -> [Outcome] {
        let input = String(decoding: try JSONEncoder().encode(connections), as: UTF8.self)
        let log = TemporaryFile.path()
        let process = try ChildProcess([python, "-c", program, input], log: log)
        defer {
            for path in [process.outputPath, process.errorPath] { try? FileManager.default.removeItem(atPath: path) }
        }
        guard process.waitForEnd(within: 60) == .exited(0) else {
            throw ChildProcess.Failure(description: "\(python): \(try TextFile.read(process.errorPath))")
        }
        return try JSONDecoder().decode([Outcome].self, from: Data(try TextFile.read(process.outputPath).utf8))
    }

    private static let program = #"""
        json, socket, ssl, sys = map(__import__, ("json", "socket", "ssl", "sys"))

        def context(one):
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            made.check_hostname = False
            made.verify_mode = ssl.CERT_NONE
            # SSL_OP_IGNORE_UNEXPECTED_EOF: an end without close_notify is none.
            made.options &= ~0x80
            if one.get("authority"):
                made.verify_mode = ssl.CERT_REQUIRED
                made.check_hostname = one.get("serverName") is not None
                made.load_verify_locations(one["authority"])
            if one.get("version"):
                made.minimum_version = made.maximum_version = getattr(ssl.TLSVersion, one["version"])
            if one.get("ciphers"): made.set_ciphers(one["ciphers"])
            if one.get("protocols"): made.set_alpn_protocols(one["protocols"])
            if one.get("certificate"): made.load_cert_chain(one["certificate"], one["key"])
            return made

        def connect(one, earlier):
            outcome = {}
            made, session = earlier if earlier else (context(one), None)
            raw = socket.create_connection(("127.0.0.1", one["port"]), timeout=20,
                source_address=(one["source"], 0) if one.get("source") else None)
            try:
                tls = made.wrap_socket(raw, server_hostname=one.get("serverName"), session=session,
                    suppress_ragged_eofs=False)
            except (OSError, ValueError) as error:
                raw.close()
                return {"error": str(error)}, None
            outcome.update(version=tls.version(), cipher=tls.cipher()[0], isResumed=tls.session_reused,
                negotiated=tls.selected_alpn_protocol())
            if one.get("authority"):
                outcome["names"] = [v for k, v in tls.getpeercert().get("subjectAltName", ()) if k == "DNS"]
            response = b""
            try:
                tls.sendall(one["request"].encode())
                if one["isAbrupt"]:
                    raw = socket.socket(fileno=tls.detach())
                    raw.shutdown(socket.SHUT_WR)
                    while raw.recv(65536): pass
                    raw.close()
                    return outcome, None
                if one["closesFirst"]:
                    # The library closes both ways: its close_notify goes out, and what follows is read below TLS.
                    tls.settimeout(20)
                    tls.unwrap()
                while True:
                    piece = tls.recv(65536)
                    if not piece: break
                    response += piece
                outcome["endsClean"] = True
            except ssl.SSLEOFError:
                outcome["endsClean"] = False
            except (OSError, ValueError) as error:
                outcome["error"] = str(error)
            outcome["response"] = response.decode("utf-8", "replace")
            try: session = tls.session
            except ValueError: session = None
            tls.close()
            return outcome, (made, session)

        outcomes, sessions = [], []
        for one in json.loads(sys.argv[1]):
            earlier = sessions[one["resumes"]] if one.get("resumes") is not None else None
            outcome, session = connect(one, earlier)
            outcomes.append(outcome)
            sessions.append(session)
        sys.stdout.write(json.dumps(outcomes))
        """#
}
