import Affinity
import Testing

@testable import Store

@Suite("The first words with a Redis")
struct RedisHandshakeTests {
    private func outcome(_ url: String, _ replies: String...) throws -> RedisHandshake.Action {
        var handshake = RedisHandshake(endpoint: try RedisEndpoint(url))
        let reader = try #require(RESPReader())
        var last = RedisHandshake.Action.wait
        for reply in replies where last == .wait {
            var text = reply
            #expect(text.withUTF8 { reader.feed(UnsafeRawBufferPointer($0)) } == nil)
            reader.drain {
                last = handshake.received($0)
                return last == .wait
            }
        }
        return last
    }

    /// The replies to INFO and to CONFIG GET.
    private func info(_ fields: String, _ demand: String = "-NOPERM no\r\n") -> String {
        "$\(fields.utf8.count)\r\n\(fields)\r\n" + demand
    }

    private static let config = ["CONFIG", "GET", "min-replicas-to-write"]

    @Test("It says who we are, which database, and asks what this is")
    func commands() throws {
        let plain = RedisHandshake(endpoint: try RedisEndpoint("redis://h"))
        #expect(plain.commands == [["INFO", "server", "replication"], Self.config])
        let whole = RedisHandshake(endpoint: try RedisEndpoint("redis://u:p@h/3"))
        #expect(
            whole.commands == [["AUTH", "u", "p"], ["SELECT", "3"], ["INFO", "server", "replication"], Self.config])
        let passwordOnly = RedisHandshake(endpoint: try RedisEndpoint("redis://:p@h"))
        #expect(passwordOnly.commands == [["AUTH", "p"], ["INFO", "server", "replication"], Self.config])
    }

    private static let primary = "\r\nrun_id:r1\r\nmaster_replid:p1\r\nrole:master\r\nconnected_slaves:2\r\n"
    private static let identity = ServerIdentity(runID: ServerIdentity.RunID("r1"), replicationID: "p1")
    private static let done = RedisHandshake.Action.done(
        ServerReport(identity: identity, demandsReplicas: false, connectedReplicas: 2))

    @Test("Which server it is, and whether it takes writes, is asked at once")
    func identities() throws {
        let version = "redis_version:7.0.15"
        let guarded = ServerReport(identity: Self.identity, demandsReplicas: true, connectedReplicas: 2)
        let cases: [(String, RedisHandshake.Action)] = [
            (version + Self.primary + "min_slaves_good_slaves:0\r\n", .done(guarded)),
            (version, .fail(.noIdentity)), (version + "\nrole:master\nrun_id:r1", .fail(.noIdentity)),
            (version + "\nrole:master\nmaster_replid:p1", .fail(.noIdentity)),
            (version + "\nrun_id:a b\nmaster_replid:p1\nrole:master", .fail(.noIdentity)),
            (version + "\nrun_id:\nmaster_replid:p1\nrole:master", .fail(.noIdentity)),
            (version + "\nrun_id:r1\nmaster_replid:p1\nrole:slave", .fail(.replica)),
            (version + "\nrun_id:r1\nmaster_replid:p1", .fail(.replica)),
        ]
        for (fields, action) in cases { #expect(try outcome("redis://h", info(fields)) == action) }
    }

    @Test(
        "How many replicas it needs is read where the user may; what it says else is no reason not to use it",
        arguments: [
            ("*2\r\n$21\r\nmin-replicas-to-write\r\n$1\r\n2\r\n", 2), ("*0\r\n", nil), ("-NOPERM no\r\n", nil),
            ("-ERR unknown command\r\n", nil), ("*2\r\n$1\r\na\r\n$1\r\nb\r\n", nil),
            ("*2\r\n:1\r\n:2\r\n", nil),
        ] as [(String, Int?)])
    func demand(_ reply: String, _ demanded: Int?) throws {
        let fields = "redis_version:7.0.15" + Self.primary + "min_slaves_good_slaves:2\r\n"
        let report = ServerReport(
            identity: Self.identity, demandsReplicas: true, demandedReplicas: demanded, connectedReplicas: 2)
        #expect(try outcome("redis://h", info(fields, "")) == .wait)
        #expect(try outcome("redis://h", info(fields, reply)) == .done(report))
        #expect(try outcome("redis://h", info(fields, "+OK\r\n")) == .fail(.notRedis))
    }

    @Test("Redis 7 or later and any Valkey will do; an older Redis is named")
    func versions() throws {
        let versions = [
            ("# Server\r\nredis_version:7.0.15\r\n" + Self.primary, Self.done),
            ("redis_version:8.2.0" + Self.primary, Self.done), ("redis_version:10.0.0" + Self.primary, Self.done),
            ("redis_version:6.2.14", .fail(.tooOld(version: "6.2.14"))),
            ("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1" + Self.primary, Self.done),
            ("redis_version:6.2.0\r\nvalkey_version:9.0.0" + Self.primary, Self.done),
            ("# nothing", .fail(.notRedis)),
            ("redis_version:\u{1B}[31mevil 1", .fail(.tooOld(version: "31mevil1"))),
        ]
        for (fields, action) in versions { #expect(try outcome("redis://h", info(fields)) == action) }
    }

    @Test("A Sentinel and a node of a cluster are named as such, of Redis and of Valkey, whatever else they say")
    func modes() throws {
        let valkey = "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\n"
        for (mode, error) in [("sentinel", StoreError.sentinel), ("cluster", .cluster)] {
            for fields in [
                "redis_version:7.0.15\r\nredis_mode:\(mode)", "redis_version:6.2.0\r\nredis_mode:\(mode)",
                valkey + "server_mode:\(mode)", valkey + "redis_mode:\(mode)",
            ] {
                #expect(try outcome("redis://h", info(fields + Self.primary)) == .fail(error), "\(fields)")
            }
            #expect(
                try outcome("redis://h", info("redis_version:7.0.15\nrole:slave\nredis_mode:\(mode)")) == .fail(error)
            )
        }
        for field in ["redis_mode", "server_mode"] {
            #expect(
                try outcome("redis://h", info("redis_version:7.0.15\r\n\(field):standalone" + Self.primary))
                    == Self.done)
        }
    }

    @Test("A cluster has no databases, and is named as a cluster all the same")
    func databaseOfCluster() throws {
        let refused = "-ERR SELECT is not allowed in cluster mode\r\n"
        let cluster = info("redis_version:7.0.15\r\nredis_mode:cluster" + Self.primary)
        #expect(try outcome("redis://h/1", refused) == .wait)
        #expect(try outcome("redis://h/1", refused, cluster) == .fail(.cluster))
        #expect(
            try outcome("redis://h/1", refused, info("redis_version:7.0.15" + Self.primary)) == .fail(.noDatabase(1)))
        #expect(try outcome("redis://h/1", refused, "-NOPERM x\r\n") == .fail(.noDatabase(1)))
    }

    @Test("Each refusal is named for what it is")
    func refusals() throws {
        let url = "redis://u:p@h/3"
        let refusals: [([String], StoreError)] = [
            (["-WRONGPASS invalid username-password pair\r\n"], .wrongPassword),
            (["+OK\r\n", "-ERR DB index is out of range\r\n", "-NOPERM x\r\n"], .noDatabase(3)),
            (["+OK\r\n", "-NOPERM x\r\n", "-NOPERM x\r\n"], .noPermission(.command("select"))),
            (["+OK\r\n", "+OK\r\n", "-NOPERM x\r\n"], .noPermission(.command("info"))),
            (["+OK\r\n", "+OK\r\n", "+OK\r\n"], .notRedis), ([":1\r\n"], .notRedis),
            (
                ["-ERR unknown command 'AUTH', with args beginning with: 'p'\r\n"],
                .refuses(command: "AUTH", RedisErrorCode.of("ERR x"))
            ),
        ]
        for (replies, error) in refusals {
            var last = RedisHandshake.Action.wait
            var handshake = RedisHandshake(endpoint: try RedisEndpoint(url))
            let reader = try #require(RESPReader())
            for reply in replies {
                var text = reply
                _ = text.withUTF8 { reader.feed(UnsafeRawBufferPointer($0)) }
                reader.drain {
                    last = handshake.received($0)
                    return true
                }
            }
            #expect(last == .fail(error))
        }
        #expect(try outcome("redis://h", "-NOAUTH Authentication required.\r\n") == .fail(.passwordNeeded))
        let denied = RedisErrorCode.of("DENIED Redis is running in protected mode")
        #expect(try outcome("redis://h", "-DENIED x\r\n") == .fail(.refuses(command: "INFO", denied)))
    }

    @Test(
        "Of an error only its first word is kept",
        arguments: [
            ("READONLY You can't write", "READONLY"), ("ERR x", "ERR"), ("", "ERR"), ("secret", "ERR"),
            ("Secret", "ERR"), (String(repeating: "A", count: 25), "ERR"),
        ])
    func codes(_ text: String, _ code: String) {
        #expect(RedisErrorCode.of(text).description == code)
    }
}

extension RedisErrorCode {
    fileprivate static func of(_ text: String) -> RedisErrorCode {
        Array(text.utf8).withUnsafeBytes { RedisErrorCode($0) }
    }
}

@Suite("What counts as a record")
struct RecordTextTests {
    @Test(
        "Only what Limpet would write is one",
        arguments: [
            ("1", Binding(backend: .tombstone, epoch: 1)),
            ("16777217", Binding(backend: BackendHash(bits: 1), epoch: 1)),
            ("16776215", Binding(backend: .tombstone, epoch: Binding.epochMax)), ("16776216", nil),
            ("9007199254740992", nil), ("9999999999999999", nil), ("10000000000000000", nil), ("16777216", nil),
            ("0", nil), ("", nil), ("01", nil), ("+1", nil), ("-1", nil), (" 1", nil), ("1 ", nil), ("1.0", nil),
            ("1e3", nil), ("0x1", nil), ("nan", nil), ("1\0", nil), ("16777217:", nil), (":5", nil),
            ("16777217:05", nil), ("16777217:0", nil),
            ("16777217:4294967296", nil), ("16777217:99999999999", nil), ("16777217:-5", nil), ("16777217:5 ", nil),
            ("16777217:5:5", nil), ("9007199254740992:5", nil),
        ])
    func texts(_ text: String, _ binding: Binding?) {
        #expect(Array(text.utf8).withUnsafeBytes { Record($0) } == binding.map { Record($0) })
    }

    @Test("A record may say when its session began", arguments: [1, 1_700_000_000, .max] as [UInt32])
    func createdAtSeconds(_ createdAtSeconds: UInt32) {
        let binding = Binding(backend: BackendHash(bits: .max), epoch: Binding.epochMax)
        let text = "\(binding.record):\(createdAtSeconds)"
        #expect(Array(text.utf8).withUnsafeBytes { Record($0) } == Record(binding, createdAtSeconds: createdAtSeconds))
    }
}
