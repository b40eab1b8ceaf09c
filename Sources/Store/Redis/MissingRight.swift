/// A right that the user of the store lacks, as far as Redis names it.
enum MissingRight: Hashable, Sendable {
    /// In lowercase, as in `getex` or `config|get`.
    case command(String)
    case keys
    case channels
    /// The channel on which Sentinels announce fail-overs.
    case switchChannel
    /// Redis does not say which command in a script it was.
    case commandInScript

    private static let longest = 32

    /// Nil if the error has another cause. The name of a command is all that is kept of the text.
    init?(_ error: UnsafeRawBufferPointer) {
        // Redis repeats arguments, but not before what is looked for.
        let text = String(decoding: error.prefix(256), as: UTF8.self)
        let isOfScript = text.contains("executing the script") || text.contains("ACL failure in script")
        guard isOfScript || text.hasPrefix("NOPERM ") else { return nil }
        if let name = Self.command(text) {
            self = .command(name)
        } else if text.contains("channel") {
            self = .channels
        } else if text.contains("key") {
            self = .keys
        } else if isOfScript {
            self = .commandInScript
        } else {
            return nil
        }
    }

    private static func command(_ text: String) -> String? {
        let before = "run the '"
        guard let start = text.firstRange(of: before)?.upperBound, let end = text[start...].firstIndex(of: "'") else {
            return nil
        }
        let name = text[start..<end]
        let isName =
            (1...longest).contains(name.utf8.count)
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == UInt8(ascii: "|") || $0 == UInt8(ascii: "-") }
        return isName ? String(name) : nil
    }
}

extension MissingRight: CustomStringConvertible {
    /// As in the rules of ACL SETUSER, with the default namespace.
    var description: String {
        switch self {
        case .command(let name): "+\(name)"
        case .keys: "the keys of the namespace (~limpet:*)"
        case .channels: "the channels of the namespace (&limpet:*)"
        case .switchChannel: "the channel of fail-overs (&+switch-master)"
        case .commandInScript: "a command that scripts run (+get, +pexpire, +pttl, +publish or +set)"
        }
    }
}
