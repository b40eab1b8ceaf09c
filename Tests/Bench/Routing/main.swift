import Routing

/// A request in bytes that stay where they are.
struct BenchRequest: RoutableRequest {
    let host: UnsafeRawBufferPointer
    let path: UnsafeRawBufferPointer
    let query: UnsafeRawBufferPointer? = nil
    let method: UnsafeRawBufferPointer
    let agent: UnsafeRawBufferPointer
    let clientAddress = AddressRange.Bits("10.1.2.3")

    init(_ path: String, host: String) {
        self.host = Self.bytes(host)
        self.path = Self.bytes(path)
        method = Self.bytes("GET")
        agent = Self.bytes("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
    }

    /// Kept for as long as the process lives.
    private static func bytes(_ text: String) -> UnsafeRawBufferPointer {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: text.utf8.count, alignment: 1)
        bytes.copyBytes(from: text.utf8)
        return UnsafeRawBufferPointer(bytes)
    }

    func hasField(named lowercasedName: UnsafeRawBufferPointer, where isWanted: (UnsafeRawBufferPointer) -> Bool)
        -> Bool
    {
        lowercasedName.elementsEqual("user-agent".utf8) && isWanted(agent)
    }
}

struct TooSlow: Error {
    let what: String
}

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

/// Each router in turn, and none of them.
func measure(_ what: String, _ count: Int, rule: (Int) -> String, request: (Int) -> BenchRequest) throws {
    let routers = try (0..<count).map {
        Router(name: "r\($0)", rule: try Rule(rule($0)), entryPoints: [0])
    }
    let clock = ContinuousClock()
    var made: RouteTable?
    let making = clock.measure { made = RouteTable(routers) }
    guard let table = made else { return }
    let scratch = MatchScratch()
    let wanted = (0..<min(count, 500)).map { $0 * max(count / 500, 1) }
    let requests = wanted.map(request)
    let rounds = (0..<101).map { _ -> Double in
        let times = 5000 / requests.count + 1
        let spent = clock.measure {
            for _ in 0..<times {
                for (index, request) in requests.enumerated() {
                    precondition(table.match(request, entryPoint: 0, scratch: scratch) == wanted[index])
                }
            }
        }
        return Double(spent.components.attoseconds) / 1e9 / Double(times * requests.count)
    }
    let nanoseconds = Int(median(rounds).rounded())
    print("\(what), \(count) routers: \(nanoseconds) ns; the table is made in \(making)")
    // What is promised of a thousand.
    if count == 1000, nanoseconds >= 2000 { throw TooSlow(what: what) }
}

for count in [1, 100, 1000, 10_000] {
    try measure("Host && PathPrefix", count) {
        "Host(`shop\($0).example.com`) && PathPrefix(`/api/v1`)"
    } request: {
        BenchRequest("/api/v1/items/17", host: "Shop\($0).example.com:8443")
    }
    try measure("PathPrefix alone", count) {
        "PathPrefix(`/tenants/t\($0)/`)"
    } request: {
        BenchRequest("/tenants/t\($0)/items/17", host: "shop.example.com")
    }
    try measure("one host, PathPrefix", count) {
        "Host(`shop.example.com`) && PathPrefix(`/tenants/t\($0)/`)"
    } request: {
        BenchRequest("/tenants/t\($0)/items/17", host: "shop.example.com")
    }
    try measure("Host(`*.…`) && PathPrefix", count) {
        "Host(`*.shop\($0).example.com`) && PathPrefix(`/api`)"
    } request: {
        BenchRequest("/api/v1/items/17", host: "eu.shop\($0).example.com")
    }
}
try measure("PathRegexp", 1) { _ in
    "PathRegexp(`^/api/v[0-9]+/items/[0-9]+$`)"
} request: { _ in
    BenchRequest("/api/v1/items/17", host: "shop.example.com")
}
try measure("PathRegexp, anywhere", 1) { _ in
    "PathRegexp(`/items/[0-9]+$`)"
} request: { _ in
    BenchRequest("/api/v1/items/17", host: "shop.example.com")
}
try measure("HeaderRegexp, anywhere", 1) { _ in
    "HeaderRegexp(`User-Agent`, `(?i)firefox|chrome`)"
} request: { _ in
    BenchRequest("/api/v1/items/17", host: "shop.example.com")
}
try measure("ClientIP", 1) { _ in
    "ClientIP(`10.0.0.0/8`)"
} request: { _ in
    BenchRequest("/api/v1/items/17", host: "shop.example.com")
}
