import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("Sessions end")
    struct AgeTests {
        private static func options(_ source: String) -> Fleet.Options {
            Fleet.Options(
                budget: "50ms", lease: "200ms",
                sticky: "\(source), idleTimeout: 2s, absoluteTimeout: 3s")
        }

        /// When the sessions in the store began, in seconds since 1970.
        private static func beginnings(_ fleet: Fleet) throws -> Set<String> {
            Set(try fleet.records().values.compactMap { $0.split(separator: ":").dropFirst().first.map(String.init) })
        }

        @Test("a session that is used without a pause ends at its age, at every replica, and another begins")
        func header() async throws {
            try await withFleet(Self.options("header: X-Session-ID")) { fleet in
                let begins = try await Threads.run { () -> [String] in
                    let client = FleetClient(fleet)
                    var begins: [String] = []
                    let end = ContinuousClock.now + .seconds(20)
                    var turn = 0
                    while begins.count < 3, ContinuousClock.now < end {
                        _ = try client.backend(of: "one", at: turn % 3)
                        turn += 1
                        if turn % 20 == 0 { begins += try Self.beginnings(fleet).subtracting(begins) }
                        Thread.sleep(forTimeInterval: 0.01)
                    }
                    return begins
                }
                let times = begins.compactMap(Int.init)
                #expect(times.count == 3 && times == times.sorted(), "\(times)")
                #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 >= 3 && $1 - $0 <= 4 }, "\(times)")
            }
        }

        @Test("so does a session of our cookie, which is sealed anew a few times meanwhile")
        func cookie() async throws {
            try await withFleet(Self.options("cookie: { name: sid }")) { fleet in
                let (cookies, begins) = try await Threads.run { () -> ([String], [String]) in
                    let client = FleetClient(fleet)
                    var cookie = try #require(client.exchange(HTTPRequest(), at: 0).cookie)
                    var (cookies, begins): ([String], [String]) = ([cookie], [])
                    let end = ContinuousClock.now + .seconds(20)
                    var turn = 0
                    while begins.count < 2, ContinuousClock.now < end {
                        let response = try client.exchange(HTTPRequest(fields: ["Cookie": cookie]), at: turn % 3)
                        _ = try response.servedBy()
                        turn += 1
                        if let next = response.cookie {
                            cookie = next
                            cookies.append(next)
                        }
                        if turn % 20 == 0 { begins += try Self.beginnings(fleet).subtracting(begins) }
                        Thread.sleep(forTimeInterval: 0.01)
                    }
                    return (cookies, begins)
                }
                // A cookie is sealed anew at a quarter of its validity: a few times, not with each response.
                #expect(cookies.count >= 3 && cookies.count < 20, "\(cookies.count)")
                let times = begins.compactMap(Int.init)
                #expect(times.count == 2 && (3...4).contains(times[1] - times[0]), "\(times)")
            }
        }
    }
}
