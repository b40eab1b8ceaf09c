import HTTPWire

/// Nanoseconds per head and per body, printed one line each. Build with optimisation, see README.md.
@main
struct Bench {
    static let request = """
        GET /catalog/items/4711?colour=blue&size=m HTTP/1.1\r\n\
        Host: shop.example\r\n\
        User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0)\r\n\
        Accept: text/html,application/xhtml+xml\r\n\
        Accept-Language: en-GB,en;q=0.5\r\n\
        Accept-Encoding: gzip, deflate, br\r\n\
        Cookie: shop_sid=5f2c9a1be07744d2\r\n\
        Connection: keep-alive\r\n\
        Cache-Control: max-age=0\r\n\
        \r\n
        """
    static let response = """
        HTTP/1.1 200 OK\r\n\
        Server: whoami\r\n\
        Date: Mon, 01 Jan 2024 00:00:00 GMT\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\
        Content-Length: 100\r\n\
        Cache-Control: no-store\r\n\
        \r\n
        """
    static let chunked = String(repeating: "10\r\n0123456789abcdef\r\n", count: 64) + "0\r\n\r\n"

    static func main() {
        let table = FieldTable()
        let scanner = HeadScanner()
        measure("request head, scanned", request) { bytes in
            guard case .head(let head) = scanner.scanRequest(bytes, into: table) else { return 0 }
            return head.length
        }
        measure("request head, scanned and edited", request) { bytes in
            guard case .head = scanner.scanRequest(bytes, into: table) else { return 0 }
            table.removeHopByHop(in: bytes)
            var kept = 0
            table.forEachKeptRun { kept += $0.count }
            return kept
        }
        measure("response head, scanned", response) { bytes in
            guard case .head(let head) = scanner.scanResponse(bytes, requestMethod: .get, into: table) else { return 0 }
            return head.length
        }
        measure("body of 64 chunks of 16 bytes", chunked) { bytes in
            var body = BodyScanner(.chunked, from: .client)
            var passed = 0
            _ = body.scan(bytes, content: { passed += $0.count })
            return passed
        }
    }

    /// The best of ten rounds; `work` must answer something above 0.
    static func measure(_ what: String, _ text: String, work: (UnsafeRawBufferPointer) -> Int) {
        let bytes = Array(text.utf8)
        let clock = ContinuousClock()
        let times = 100_000
        var best = Double.infinity
        for _ in 0..<10 {
            var sum = 0
            let spent = clock.measure {
                for _ in 0..<times { sum &+= bytes.withUnsafeBytes(work) }
            }
            precondition(sum >= times, "the work failed")
            best = min(best, Double(spent.components.attoseconds) / 1e9 / Double(times))
        }
        print("\(what), \(bytes.count) bytes: \(Int(best + 0.5)) ns")
    }
}
