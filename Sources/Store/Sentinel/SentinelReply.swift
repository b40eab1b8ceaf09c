import Affinity

/// A Sentinel's reply to `SENTINEL MASTER <name>`.
enum SentinelReply: Equatable {
    case primary(ServerAddress, epoch: UInt64)
    case unknownName
    case failed(StoreError)

    init(_ value: RESPValue) {
        switch value {
        case .array(let elements): self = Self.primary(elements) ?? .failed(.strange)
        case .error(let text): self = Self.error(text)
        case .none, .integer, .string, .status: self = .failed(.strange)
        }
    }

    private static func primary(_ elements: RESPElements) -> SentinelReply? {
        var elements = elements
        var host: String?
        var port: UInt64?
        var epoch: UInt64?
        while let field = elements.next(), let value = elements.next() {
            guard case .string(let field) = field, case .string(let value) = value else { return nil }
            switch String(decoding: field, as: UTF8.self) {
            case "ip": host = Self.host(value)
            case "port": port = UInt64(decimal: value)
            case "config-epoch": epoch = UInt64(decimal: value)
            default: break
            }
        }
        guard let host, let port, (1...65535).contains(port), let epoch else { return nil }
        return .primary(ServerAddress(host: host, port: Int(port)), epoch: epoch)
    }

    /// An address or a name: visible ASCII, as long as a name may be.
    private static func host(_ text: UnsafeRawBufferPointer) -> String? {
        guard (1...255).contains(text.count), text.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        return String(decoding: text, as: UTF8.self)
    }

    private static func error(_ text: UnsafeRawBufferPointer) -> SentinelReply {
        let reason = String(decoding: text.prefix(64), as: UTF8.self)
        if RedisErrorCode(text) == .noPermission { return .failed(.noPermission(.command("sentinel|master"))) }
        if reason.hasPrefix("ERR No such master") { return .unknownName }
        if reason.lowercased().hasPrefix("err unknown command") { return .failed(.notSentinel) }
        return .failed(StoreError(refusing: "SENTINEL MASTER", text))
    }
}

extension StoreError {
    fileprivate static let strange = StoreError.misbehaves(
        "the server does not answer SENTINEL MASTER as Sentinel does")
}
