import Affinity
import NIOCore
import Testing

@testable import Store

@Suite("The commands as bytes")
struct RedisCommandsTests {
    private static let fingerprints = [
        Fingerprint(high: 0, low: 0), Fingerprint(high: .max, low: .max), Fingerprint.test(12_345),
    ]
    private static let lifetimes: [Int64] = [1, 9, 10, 99, 1_800_000, 999_999_999, 1_000_000_000, .max]
    private static let births: [UInt32?] = [nil, 1, 1_700_000_000, .max]
    private static let bindings = [
        Binding(backend: .tombstone, epoch: 1), Binding(backend: BackendHash(bits: 1), epoch: 9),
        Binding(backend: BackendHash(bits: .max), epoch: Binding.epochMax),
    ]

    /// What hiredis makes of the same commands is the oracle.
    private func expect(
        _ commands: [[String]], _ location: SourceLocation = #_sourceLocation, _ write: (inout ByteBuffer) -> Void
    ) {
        var written = ByteBuffer()
        write(&written)
        var formatted = ByteBuffer()
        for command in commands { #expect(RedisCommands.format(command, in: &formatted)) }
        #expect(written == formatted, sourceLocation: location)
    }

    @Test("What is written by hand is what hiredis formats", arguments: ["limpet", "a", "shop:eu-1.test_x"])
    func oracle(_ name: String) throws {
        let commands = RedisCommands(namespace: try #require(StoreNamespace(name)))
        for fingerprint in Self.fingerprints {
            let key = "\(name):\(fingerprint.text)"
            for lifetimeMilliseconds in Self.lifetimes {
                for binding in Self.bindings {
                    for createdAtSeconds in Self.births {
                        check(commands, fingerprint, key, lifetimeMilliseconds, binding, createdAtSeconds)
                    }
                }
                checkDrop(commands, fingerprint, key, lifetimeMilliseconds)
                let touch = ["GETEX", key, "PX", String(lifetimeMilliseconds)]
                expect([touch]) {
                    commands.send(.touch(fingerprint, lifetimeMilliseconds: lifetimeMilliseconds), in: &$0)
                }
            }
            expect([["GET", key], ["PTTL", key]]) { commands.read(fingerprint, in: &$0) }
            expect([["GETRANGE", key, "0", "27"], ["PTTL", key]]) { commands.send(.read(fingerprint), in: &$0) }
        }
        expect([["PING"]]) { commands.probe(in: &$0) }
        for cursor in [0, 7, UInt64.max] {
            let scan = ["SCAN", String(cursor), "MATCH", "\(name):??????????????????????", "COUNT", "100"]
            expect([scan]) { commands.scan(from: cursor, in: &$0) }
        }
    }

    private func check(
        _ commands: RedisCommands, _ fingerprint: Fingerprint, _ key: String, _ lifetimeMilliseconds: Int64,
        _ binding: Binding,
        _ createdAtSeconds: UInt32?
    ) {
        let suffix = createdAtSeconds.map { ":\($0)" } ?? ""
        let first = Binding(backend: binding.backend, epoch: 1)
        let set = ["SET", key, String(first.record) + suffix, "NX", "GET", "PX", String(lifetimeMilliseconds)]
        expect([set, ["PTTL", key]]) {
            commands.send(
                .create(
                    fingerprint, binding.backend, lifetimeMilliseconds: lifetimeMilliseconds,
                    createdAtSeconds: createdAtSeconds), in: &$0)
        }
        let setOwn = ["SET", key, String(binding.record) + suffix, "NX", "GET", "PX", String(lifetimeMilliseconds)]
        expect([setOwn, ["PTTL", key]]) {
            commands.send(
                .offer(
                    fingerprint, binding, lifetimeMilliseconds: lifetimeMilliseconds, createdAtSeconds: createdAtSeconds
                ), in: &$0)
        }
        let restore = StoreOperation.restore(
            fingerprint, binding, lifetimeMilliseconds: lifetimeMilliseconds, createdAtSeconds: createdAtSeconds)
        let restoreTail = ["1", key, String(binding.record) + suffix, String(lifetimeMilliseconds)]
        expect([["EVALSHA", RedisScript.restore.sha1] + restoreTail]) { commands.send(restore, in: &$0) }
        expect([["EVAL", RedisScript.restore.source] + restoreTail]) { #expect(commands.evaluate(restore, in: &$0)) }

        let from = Binding(backend: BackendHash(bits: 77), epoch: binding.epoch - 1)
        let rebind = StoreOperation.rebind(
            fingerprint, from: from, to: binding.backend, lifetimeMilliseconds: lifetimeMilliseconds,
            createdAtSeconds: createdAtSeconds)
        let rebindTail = ["1", key, String(binding.record) + suffix, String(lifetimeMilliseconds), String(from.record)]
        expect([["EVALSHA", RedisScript.rebind.sha1] + rebindTail]) { commands.send(rebind, in: &$0) }
        expect([["EVAL", RedisScript.rebind.source] + rebindTail]) { #expect(commands.evaluate(rebind, in: &$0)) }
    }

    private func checkDrop(
        _ commands: RedisCommands, _ fingerprint: Fingerprint, _ key: String, _ lifetimeMilliseconds: Int64
    ) {
        for above in [0, 9, Binding.epochMax - 1] {
            let drop = StoreOperation.drop(fingerprint, above: above, lifetimeMilliseconds: lifetimeMilliseconds)
            let tail = ["1", key, String(above), String(lifetimeMilliseconds)]
            expect([["EVALSHA", RedisScript.drop.sha1] + tail]) { commands.send(drop, in: &$0) }
            expect([["EVAL", RedisScript.drop.source] + tail]) { #expect(commands.evaluate(drop, in: &$0)) }
        }
    }

    @Test("Any arguments can be formatted, empty ones and all bytes of UTF-8 included")
    func format() {
        var buffer = ByteBuffer()
        #expect(RedisCommands.format(["AUTH", "", "pä\r\nß"], in: &buffer))
        #expect(String(buffer: buffer) == "*3\r\n$4\r\nAUTH\r\n$0\r\n\r\n$7\r\npä\r\nß\r\n")
        buffer.clear()
        #expect(RedisCommands.format([""], in: &buffer))
        #expect(String(buffer: buffer) == "*1\r\n$0\r\n\r\n")
    }

    @Test(
        "A namespace is 1 to 64 characters, and braces are none of them",
        arguments: [("limpet", true), ("a:b.c_d-9", true), ("", false), ("{a}", false), ("a b", false), ("ä", false)])
    func namespace(_ text: String, _ isOne: Bool) {
        #expect((StoreNamespace(text) != nil) == isOne)
        #expect(StoreNamespace(String(repeating: "x", count: 64)) != nil)
        #expect(StoreNamespace(String(repeating: "x", count: 65)) == nil)
    }
}
