import Foundation
import LimpetTestKit

/// Clients of TLS for some seconds: half of them ask over a connection that each keeps, half over a new one each time.
struct TLSLoad: Decodable {
    /// Requests that were answered 200 over kept connections, and over new ones.
    let kept: Int
    let fresh: Int
    let failures: [String]
    /// The names of each certificate that was seen.
    let names: [[String]]

    /// The arguments of Python for such a load.
    static func arguments(_ fleet: TLSFleet, seconds: Int) -> [String] {
        ["-c", program, "\(fleet.replicas[0].port)", fleet.authority.root.certificate, "\(seconds)"]
    }

    private static let program = #"""
        import json, socket, ssl, sys, threading, time
        port, authority, end = int(sys.argv[1]), sys.argv[2], time.monotonic() + float(sys.argv[3])
        lock, counts, failures, names = threading.Lock(), {"kept": 0, "fresh": 0}, [], set()
        context = ssl.create_default_context(cafile=authority)

        def connect():
            raw = socket.create_connection(("127.0.0.1", port), timeout=20)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tls = context.wrap_socket(raw, server_hostname="shop.example")
            found = tuple(v for k, v in tls.getpeercert()["subjectAltName"])
            with lock: names.add(found)
            return tls

        def ask(tls):
            tls.sendall(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
            answer = b""
            while b"\r\n\r\n" not in answer:
                piece = tls.recv(65536)
                if not piece: raise OSError("the connection ended")
                answer += piece
            head, body = answer.split(b"\r\n\r\n", 1)
            if not head.startswith(b"HTTP/1.1 200 "): raise OSError(head.decode())
            length = next(int(l.split(b":")[1]) for l in head.lower().split(b"\r\n") if l.startswith(b"content-length:"))
            while len(body) < length: body += tls.recv(65536)

        def run(kind):
            try:
                tls = connect() if kind == "kept" else None
                while time.monotonic() < end:
                    if kind == "fresh": tls = connect()
                    ask(tls)
                    if kind == "fresh": tls.close()
                    with lock: counts[kind] += 1
            except (OSError, ValueError) as error:
                with lock: failures.append(f"{kind}: {error}")

        threads = [threading.Thread(target=run, args=(kind,)) for kind in ["kept", "fresh"] * 4]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(json.dumps({**counts, "failures": failures, "names": sorted(names)}))
        """#
}
