import Affinity
import Crypto
import Foundation
import NIOCore
import NIOPosix
import Store
import Testing

@testable import Proxy

@Suite("Passwords")
struct PasswordTests {
    /// bcrypt of "secret" at the lowest cost.
    static let secret = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"

    @Test(
        "are found right and wrong in every form that htpasswd writes",
        arguments: [
            ("secret", secret), ("secret", "$2a$" + secret.dropFirst(4)), ("secret", "$2b$" + secret.dropFirst(4)),
            ("", "$2y$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq"),
            ("secret", "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/"), ("", "$apr1$abcdefgh$L.PT565ESX4Tp2bqNs7Ie."),
            ("a", "$apr1$abcdefgh$G8IsPsylW5ROvIKsQMRG61"),
            ("pässwörd with spaces and more than sixteen bytes", "$apr1$abcdefgh$ZY.ImR.E9JokQyKalB9Rw1"),
            ("secret", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="), ("", "{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
        ])
    func forms(_ password: String, _ text: String) throws {
        let hash = try #require(PasswordHash(htpasswd: text))
        #expect(hash.matches(Array(password.utf8)))
        for wrong in [password + "x", "Secret", password + "\0", String(repeating: "p", count: 2000)] {
            #expect(!hash.matches(Array(wrong.utf8)))
        }
    }

    @Test(
        "come from a field of the Basic scheme, whose first colon ends the name",
        arguments: [
            ("Basic YTpi", "a", "b"), ("basic YTpiOmM=", "a", "b:c"), ("BASIC   Og==", "", ""),
        ])
    func credentials(_ value: String, _ user: String, _ password: String) throws {
        let credentials = try #require(Self.credentials(value))
        #expect(credentials.user == Array(user.utf8) && credentials.password == Array(password.utf8))
    }

    @Test(
        "do not come from any other field value",
        arguments: [
            "", "Basic", "Basic ", "Basic YQ==", "Bearer YTpi", "BasicYTpi", "Basic YTpi=", "Basic YTp",
            "Basic Y T p i",
            "Basic YTpi YTpi", "Basic YToA", "Basic YToK", "Basic YTr_", "Basic ====",
        ])
    func noCredentials(_ value: String) {
        #expect(Self.credentials(value) == nil)
    }

    @Test("and names above 512 bytes are nobody's")
    func longCredentials() {
        func value(_ user: Int, _ password: Int) -> String {
            let text = String(repeating: "u", count: user) + ":" + String(repeating: "p", count: password)
            return "Basic " + Data(text.utf8).base64EncodedString()
        }
        #expect(Self.credentials(value(512, 512)) != nil)
        #expect(Self.credentials(value(513, 1)) == nil)
        #expect(Self.credentials(value(1, 513)) == nil)
    }

    @Test("are remembered for five minutes, a thousand and no more, those that are used before the others")
    func memory() {
        func digest(_ number: Int) -> VerifiedCredentials.Digest { .init(words: SIMD4(UInt64(number), 0, 0, 0)) }
        var verified = VerifiedCredentials()
        let start = Instant(nanoseconds: 0)
        verified.add(digest(0), now: start)
        for number in 1..<5000 {
            verified.add(digest(number), now: start)
            let isRemembered = verified.contains(digest(0), now: start)
            #expect(isRemembered)
        }
        #expect(verified.count <= VerifiedCredentials.capacity)
        #expect(verified.count >= VerifiedCredentials.capacity / 2)
        let isRecent = verified.contains(digest(4999), now: start)
        let isForgotten = !verified.contains(digest(1000), now: start)
        #expect(isRecent && isForgotten)
        let late = start.advanced(byMilliseconds: VerifiedCredentials.lifetimeMilliseconds)
        let isLate = verified.contains(digest(0), now: late)
        #expect(!isLate)
    }

    private static func credentials(_ value: String) -> BasicCredentials? {
        Array(value.utf8).withUnsafeBytes { BasicCredentials(fieldValue: $0) }
    }
}

@Suite("Password checks")
struct PasswordCheckTests {
    private final class Waiter: PasswordWaiter {
        let told: @Sendable (PasswordChecks.Result) -> Void

        init(_ told: @escaping @Sendable (PasswordChecks.Result) -> Void) { self.told = told }

        func passwordChecked(_ result: PasswordChecks.Result) { told(result) }
    }

    /// The results of checks that are all asked for in one turn of a loop, then of the same once more.
    private func results(
        _ attempts: [(String, String)], limit: Int = 64
    ) async throws -> (first: [PasswordChecks.Result], again: [PasswordChecks.Result?]) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let verifier = PasswordVerifier(threads: 1, limit: limit)
        let loop = group.next()
        let hash = try #require(PasswordHash(htpasswd: PasswordTests.secret))
        let gate = BasicAuthGate(BasicAuth(users: [BasicAuth.User(name: "ada", passwordHash: hash)]))
        let checks = try await loop.submit {
            NIOLoopBound(PasswordChecks(verifier: verifier, loop: loop), eventLoop: loop)
        }.get()
        let credentials = attempts.map { user, password in
            Data("\(user):\(password)".utf8).base64EncodedString()
        }.compactMap { text in Array("Basic \(text)".utf8).withUnsafeBytes { BasicCredentials(fieldValue: $0) } }
        let promises = credentials.map { _ in loop.makePromise(of: PasswordChecks.Result.self) }
        try await loop.submit {
            for (promise, credentials) in zip(promises, credentials) {
                let known = checks.value.check(
                    credentials, gate, now: .now, for: Waiter { promise.succeed($0) })
                if let known { promise.succeed(known) }
            }
        }.get()
        var first: [PasswordChecks.Result] = []
        for promise in promises { first.append(try await promise.futureResult.get()) }
        let again = try await loop.submit {
            credentials.map { checks.value.check($0, gate, now: .now, for: Waiter { _ in }) }
        }.get()
        try await verifier.shutDown()
        try await group.shutdownGracefully()
        return (first, again)
    }

    @Test("tell right from wrong; what was verified is known at once the next time, a wrong password never")
    func remembers() async throws {
        let outcome = try await results([("ada", "secret"), ("ada", "Secret"), ("eve", "secret")])
        #expect(outcome.first == [.verified, .wrong, .wrong])
        #expect(outcome.again == [.verified, nil, nil])
    }

    @Test("of a user whose password has changed are made anew")
    func changed() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let verifier = PasswordVerifier(threads: 1, limit: 4)
        let loop = group.next()
        func gate(_ hash: PasswordHash) -> BasicAuthGate {
            BasicAuthGate(BasicAuth(users: [BasicAuth.User(name: "ada", passwordHash: hash)]))
        }
        let old = gate(try #require(PasswordHash(htpasswd: PasswordTests.secret)))
        let new = gate(.sha1("5en6G6MezRroT3XKqkdPOmY/BfQ="))
        let checks = try await loop.submit {
            NIOLoopBound(PasswordChecks(verifier: verifier, loop: loop), eventLoop: loop)
        }.get()
        let text = Data("ada:secret".utf8).base64EncodedString()
        let credentials = try #require(Array("Basic \(text)".utf8).withUnsafeBytes { BasicCredentials(fieldValue: $0) })
        var results: [PasswordChecks.Result?] = []
        for gate in [old, old, gate(.sha1("")), new] {
            let promise = loop.makePromise(of: PasswordChecks.Result.self)
            let known = try await loop.submit {
                let known = checks.value.check(credentials, gate, now: .now, for: Waiter { promise.succeed($0) })
                if let known { promise.succeed(known) }
                return known
            }.get()
            _ = try await promise.futureResult.get()
            results.append(known)
        }
        // At once, where it is nothing but remembered.
        #expect(results == [nil, .verified, nil, nil])
        try await verifier.shutDown()
        try await group.shutdownGracefully()
    }

    @Test("of the same credentials are one: many of them do not fill the queue")
    func oneFlight() async throws {
        let outcome = try await results(Array(repeating: ("ada", "secret"), count: 100), limit: 1)
        #expect(outcome.first.allSatisfy { $0 == .verified })
    }

    @Test("beyond those that may wait are refused at once")
    func bounded() async throws {
        let outcome = try await results((0..<200).map { ("ada", "guess \($0)") }, limit: 4)
        // Some may end, and free their places, while the rest is asked for: on a busy machine the loop has to wait.
        let overloaded = outcome.first.filter { $0 == .overloaded }.count
        let wrong = outcome.first.filter { $0 == .wrong }.count
        #expect(overloaded >= 100 && wrong >= 4 && overloaded + wrong == 200)
    }

    @Test("are made again once others have ended: the places of those are free")
    func placesAreFreed() async throws {
        try await Self.withChecks(limit: 1, users: ["ada": .bcrypt(PasswordTests.secret)]) { check in
            for (password, result) in [
                ("guess", PasswordChecks.Result.wrong), ("secret", .verified), ("other", .wrong),
            ] {
                let outcome = try await check("ada", password)
                #expect(outcome.result == result && !outcome.isAtOnce)
            }
        }
    }

    /// Name, hash and password of one read, one behind the other, as those of the other do.
    @Test("of names and passwords that read alike when run together are different ones")
    func runTogether() async throws {
        func hash(_ password: String) -> PasswordHash {
            .sha1(Data(Insecure.SHA1.hash(data: Array(password.utf8))).base64EncodedString())
        }
        let other = hash("other")
        let password = other.text + "guess"
        let ada = hash(password)
        let users = ["ada": ada, "ada" + ada.text: other]
        try await Self.withChecks(users: users) { check in
            for isAtOnce in [false, true] {
                let outcome = try await check("ada", password)
                #expect(outcome.result == .verified && outcome.isAtOnce == isAtOnce)
            }
            let alike = try await check("ada" + ada.text, "guess")
            #expect(alike.result == .wrong && !alike.isAtOnce)
        }
    }

    @Test("of nobody, where there are no users, are wrong at once")
    func noUsers() async throws {
        try await Self.withChecks(users: [:]) { check in
            let outcome = try await check("ada", "secret")
            #expect(outcome.result == .wrong && outcome.isAtOnce)
        }
    }

    private typealias Check = (String, String) async throws -> (result: PasswordChecks.Result, isAtOnce: Bool)

    /// Runs `body` with a check of one name and password after the other, which says whether it was known at once.
    private static func withChecks(
        limit: Int = 4, users: [String: PasswordHash], _ body: (Check) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let verifier = PasswordVerifier(threads: 1, limit: limit)
        let loop = group.next()
        let gate = BasicAuthGate(
            BasicAuth(users: users.map { BasicAuth.User(name: $0.key, passwordHash: $0.value) }))
        let checks = try await loop.submit {
            NIOLoopBound(PasswordChecks(verifier: verifier, loop: loop), eventLoop: loop)
        }.get()
        try await body { user, password in
            let text = Data("\(user):\(password)".utf8).base64EncodedString()
            let credentials = try #require(
                Array("Basic \(text)".utf8).withUnsafeBytes { BasicCredentials(fieldValue: $0) })
            let promise = loop.makePromise(of: PasswordChecks.Result.self)
            let known = try await loop.submit {
                let known = checks.value.check(credentials, gate, now: .now, for: Waiter { promise.succeed($0) })
                if let known { promise.succeed(known) }
                return known
            }.get()
            return (try await promise.futureResult.get(), known != nil)
        }
        try await verifier.shutDown()
        try await group.shutdownGracefully()
    }

    @Test("of a name that nobody has cost what those of a known one cost")
    func decoy() {
        let hash = PasswordHash.bcrypt(PasswordTests.secret)
        let users = [BasicAuth.User(name: "ada", passwordHash: hash)]
        let key = PasswordVerifier.shared.memoryKey
        let unknown = Array("eve".utf8)
        #expect(BasicAuthGate(BasicAuth(users: users)).hash(of: unknown) == nil)
        #expect(BasicAuthGate(BasicAuth(users: users)).decoy(for: unknown, key: key) == hash)
        #expect(BasicAuthGate(BasicAuth(users: [])).decoy(for: unknown, key: key) == nil)
    }
}
