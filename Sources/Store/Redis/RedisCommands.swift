import Affinity
import CLimpetRESP
import NIOCore

/// Writes commands in RESP. Commands of operations go straight into the buffer; hiredis formats the others.
struct RedisCommands {
    private let namespace: StoreNamespace
    /// `<namespace>:`, which precedes the fingerprint in every key.
    let keyPrefix: [UInt8]
    /// `$<length>\r\n<namespace>:`, the start of every key.
    private let keyStart: [UInt8]
    private let restoreStart: [UInt8]
    private let rebindStart: [UInt8]
    private let dropStart: [UInt8]

    init(namespace: StoreNamespace) {
        self.namespace = namespace
        let prefix = "\(namespace):"
        keyPrefix = Array(prefix.utf8)
        keyStart = Array("$\(prefix.utf8.count + Fingerprint.textLength)\r\n\(prefix)".utf8)
        restoreStart = Self.start(of: .restore, arguments: 2)
        rebindStart = Self.start(of: .rebind, arguments: 3)
        dropStart = Self.start(of: .drop, arguments: 2)
    }

    private static func start(of script: RedisScript, arguments: Int) -> [UInt8] {
        Array("*\(4 + arguments)\r\n$7\r\nEVALSHA\r\n$40\r\n\(script.sha1)\r\n$1\r\n1\r\n".utf8)
    }

    /// The maximum size of the commands of one operation, without the keys.
    private static let longest = 320

    private func append(to buffer: inout ByteBuffer, _ body: (inout RESPCursor) -> Void) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.longest + 2 * keyStart.count) { space in
            var cursor = RESPCursor(space)
            body(&cursor)
            return cursor.count
        }
    }

    /// Writes the one or two commands of an operation.
    func send(_ operation: StoreOperation, in buffer: inout ByteBuffer) {
        switch operation {
        case .create(let fingerprint, let backend, let lifetimeMilliseconds, let createdAtSeconds):
            let binding = Binding(backend: backend, epoch: 1)
            setIfAbsent(fingerprint, binding, lifetimeMilliseconds, createdAtSeconds, in: &buffer)
        case .offer(let fingerprint, let binding, let lifetimeMilliseconds, let createdAtSeconds):
            setIfAbsent(fingerprint, binding, lifetimeMilliseconds, createdAtSeconds, in: &buffer)
        case .restore(let fingerprint, let binding, let lifetimeMilliseconds, let createdAtSeconds):
            append(to: &buffer) {
                $0.append(restoreStart)
                $0.append(keyStart, fingerprint)
                $0.append(bulk: binding.record, suffix: createdAtSeconds)
                $0.append(bulk: UInt64(clamping: lifetimeMilliseconds))
            }
        case .rebind(let fingerprint, let from, let to, let lifetimeMilliseconds, let createdAtSeconds):
            let binding = Binding(backend: to, epoch: from.epoch &+ 1)
            append(to: &buffer) {
                $0.append(rebindStart)
                $0.append(keyStart, fingerprint)
                $0.append(bulk: binding.record, suffix: createdAtSeconds)
                $0.append(bulk: UInt64(clamping: lifetimeMilliseconds))
                $0.append(bulk: from.record)
            }
        case .touch(let fingerprint, let lifetimeMilliseconds): touch(fingerprint, lifetimeMilliseconds, in: &buffer)
        case .drop(let fingerprint, let above, let lifetimeMilliseconds):
            append(to: &buffer) {
                $0.append(dropStart)
                $0.append(keyStart, fingerprint)
                $0.append(bulk: UInt64(above))
                $0.append(bulk: UInt64(clamping: lifetimeMilliseconds))
            }
        case .read(let fingerprint): readStart(of: fingerprint, in: &buffer)
        }
    }

    /// `SET` if the record is absent, and `PTTL`.
    private func setIfAbsent(
        _ fingerprint: Fingerprint, _ binding: Binding, _ lifetimeMilliseconds: Int64, _ createdAtSeconds: UInt32?,
        in buffer: inout ByteBuffer
    ) {
        append(to: &buffer) {
            $0.append("*7\r\n$3\r\nSET\r\n")
            let key = $0.append(keyStart, fingerprint)
            $0.append(bulk: binding.record, suffix: createdAtSeconds)
            $0.append("$2\r\nNX\r\n$3\r\nGET\r\n$2\r\nPX\r\n")
            $0.append(bulk: UInt64(clamping: lifetimeMilliseconds))
            $0.append("*2\r\n$4\r\nPTTL\r\n")
            $0.append(again: key)
        }
    }

    func touch(_ fingerprint: Fingerprint, _ lifetimeMilliseconds: Int64, in buffer: inout ByteBuffer) {
        append(to: &buffer) {
            $0.append("*4\r\n$5\r\nGETEX\r\n")
            $0.append(keyStart, fingerprint)
            $0.append("$2\r\nPX\r\n")
            $0.append(bulk: UInt64(clamping: lifetimeMilliseconds))
        }
    }

    /// `GETRANGE` and `PTTL`: a scan meets values of any size, and one byte more than the longest record shows that a
    /// value is none.
    private func readStart(of fingerprint: Fingerprint, in buffer: inout ByteBuffer) {
        append(to: &buffer) {
            $0.append("*4\r\n$8\r\nGETRANGE\r\n")
            let key = $0.append(keyStart, fingerprint)
            $0.append("$1\r\n0\r\n$2\r\n27\r\n")
            $0.append("*2\r\n$4\r\nPTTL\r\n")
            $0.append(again: key)
        }
    }

    /// `GET` and `PTTL`.
    func read(_ fingerprint: Fingerprint, in buffer: inout ByteBuffer) {
        append(to: &buffer) {
            $0.append("*2\r\n$3\r\nGET\r\n")
            let key = $0.append(keyStart, fingerprint)
            $0.append("*2\r\n$4\r\nPTTL\r\n")
            $0.append(again: key)
        }
    }

    /// The number of keys that the server looks at for one page, about.
    private static let scanned = "100"

    /// The namespace has no characters with a meaning in patterns.
    func scan(from cursor: UInt64, in buffer: inout ByteBuffer) {
        let pattern = "\(namespace):" + String(repeating: "?", count: Fingerprint.textLength)
        buffer.writeStaticString("*6\r\n")
        Self.append(["SCAN", String(cursor), "MATCH", pattern, "COUNT", Self.scanned], to: &buffer)
    }

    private static func append(_ arguments: [String], to buffer: inout ByteBuffer) {
        for argument in arguments { buffer.writeString("$\(argument.utf8.count)\r\n\(argument)\r\n") }
    }

    func probe(in buffer: inout ByteBuffer) {
        buffer.writeStaticString("*1\r\n$4\r\nPING\r\n")
    }

    /// A write that only shows whether the server accepts writes. False if memory allocation fails.
    func probeByWriting(in buffer: inout ByteBuffer) -> Bool {
        Self.format(["SET", "\(namespace):proof", "1", "PX", "5000"], in: &buffer)
    }

    /// Sends the whole script, after the store replied that it does not know it. False if memory allocation fails.
    func evaluate(_ operation: StoreOperation, in buffer: inout ByteBuffer) -> Bool {
        let script: RedisScript
        let arguments: [String]
        switch operation {
        case .create, .offer, .touch, .read:
            assertionFailure("no script implements this operation")
            return false
        case .restore(_, let binding, let lifetimeMilliseconds, let createdAtSeconds):
            script = .restore
            arguments = [Self.record(binding, createdAtSeconds), String(lifetimeMilliseconds)]
        case .rebind(_, let from, let to, let lifetimeMilliseconds, let createdAtSeconds):
            let binding = Binding(backend: to, epoch: from.epoch &+ 1)
            script = .rebind
            arguments = [Self.record(binding, createdAtSeconds), String(lifetimeMilliseconds), String(from.record)]
        case .drop(_, let above, let lifetimeMilliseconds):
            script = .drop
            arguments = [String(above), String(lifetimeMilliseconds)]
        }
        return Self.format(["EVAL", script.source, "1", key(operation.fingerprint)] + arguments, in: &buffer)
    }

    private static func record(_ binding: Binding, _ createdAtSeconds: UInt32?) -> String {
        createdAtSeconds.map { "\(binding.record):\($0)" } ?? "\(binding.record)"
    }

    func publish(_ payload: [UInt8], on channel: String, in buffer: inout ByteBuffer) {
        buffer.writeString("*3\r\n$7\r\nPUBLISH\r\n$\(channel.utf8.count)\r\n\(channel)\r\n$\(payload.count)\r\n")
        buffer.writeBytes(payload)
        buffer.writeStaticString("\r\n")
    }

    /// - Parameter script: `EVALSHA` with the hash of the announcement's script, or `EVAL` with its source.
    func announce(_ announced: AnnouncedSessions, by script: [String], in buffer: inout ByteBuffer) {
        let count = announced.sessions.count
        buffer.writeString("*\(script.count + 1 + count + 3)\r\n")
        Self.append(script + [String(count)], to: &buffer)
        let keyLength = keyStart.count + Fingerprint.textLength + 2
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count * keyLength) { space in
            var cursor = RESPCursor(space)
            for session in announced.sessions { cursor.append(keyStart, session) }
            return cursor.count
        }
        let names = announced.names
        Self.append(
            [names.made, String(names.instance.number), announced.hasLeftOut ? "1" : "0"], to: &buffer)
    }

    func key(_ fingerprint: Fingerprint) -> String { "\(namespace):\(fingerprint.text)" }

    /// Formats any command. False if memory allocation fails.
    static func format(_ arguments: [String], in buffer: inout ByteBuffer) -> Bool {
        var bytes = arguments.flatMap { $0.utf8.map { CChar(bitPattern: $0) } }
        // Gives the buffer an address even if all arguments are empty.
        bytes.append(0)
        let lengths = arguments.map(\.utf8.count)
        return bytes.withUnsafeBufferPointer { all in
            var starts: [UnsafePointer<CChar>?] = []
            var next = all.baseAddress
            for length in lengths {
                starts.append(next)
                next = next.map { $0 + length }
            }
            var command: UnsafeMutablePointer<CChar>?
            let length = limpet_command_format(&command, Int32(clamping: lengths.count), &starts, lengths)
            guard length >= 0, let command else { return false }
            defer { limpet_command_free(command) }
            buffer.writeBytes(UnsafeRawBufferPointer(start: command, count: Int(length)))
            return true
        }
    }
}

/// Sessions whose records the store is asked to publish.
struct AnnouncedSessions {
    let sessions: [Fingerprint]
    /// Whether others found no place in any message.
    let hasLeftOut: Bool
    let names: ChannelNames
}
