import Affinity

/// The keys and channels of coherence, and the parser for the messages on them.
struct ChannelNames {
    /// A message from a subscription, complete and well-formed as RESP.
    enum Message {
        case rebind(Fingerprint, Binding)
        case echo(sequence: UInt64, server: ServerIdentity.RunID, era: String)
        case fleet(UnsafeRawBufferPointer)
        case announcement(Announcement)
        /// Not in a format that Limpet publishes on this channel.
        case unexpected
    }

    /// The maximum size of a fleet message, in bytes.
    static let fleetMax = 16 * 1024

    /// This replica.
    let instance: InstanceID
    /// Moves of bindings: `<fingerprint> <record>`.
    let rebind: String
    /// Key and channel of this replica's heartbeats: `<sequence> <run id> <era>`.
    let heartbeat: String
    /// Key of the era.
    let era: String
    /// Channel of the fleet messages.
    let fleet: String
    /// Channel of the announcements: `<instance> <0 or 1>`, then ` <fingerprint> <record> <lifetime>` for each record.
    let made: String

    init(namespace: StoreNamespace, instance: InstanceID) {
        self.instance = instance
        rebind = "\(namespace):rebind"
        heartbeat = "\(namespace):hb:\(instance)"
        era = "\(namespace):era"
        fleet = "\(namespace):fleet"
        made = "\(namespace):made"
    }

    /// The channels without which there is no coherence, in subscription order.
    var required: [String] { [rebind, heartbeat, fleet] }

    /// In subscription order.
    var channels: [String] { required + [made] }

    /// Whether the reply acknowledges the subscription to the channel with this number, counted from 0.
    func isAcknowledgement(_ reply: RESPValue, of number: Int) -> Bool {
        guard case .array(var elements) = reply, elements.count == 3, channels.indices.contains(number),
            case .string(let kind) = elements.next(), kind.reads("subscribe"),
            case .string(let channel) = elements.next(), channel.reads(channels[number]),
            case .integer(let count) = elements.next()
        else { return false }
        return count == Int64(number + 1)
    }

    /// Parses a reply as a message. Nil if it is not a message, or is from a channel that was not subscribed to.
    ///
    /// - Parameter hasAnnouncements: whether the channel of the announcements was subscribed to.
    func message(_ reply: RESPValue, hasAnnouncements: Bool) -> Message? {
        guard case .array(var elements) = reply, elements.count == 3,
            case .string(let kind) = elements.next(), kind.reads("message"),
            case .string(let channel) = elements.next(), case .string(let payload) = elements.next()
        else { return nil }
        if channel.reads(rebind) { return Self.rebind(payload) ?? .unexpected }
        if channel.reads(heartbeat) { return Self.echo(payload) ?? .unexpected }
        if channel.reads(fleet) { return payload.count <= Self.fleetMax ? .fleet(payload) : .unexpected }
        guard hasAnnouncements, channel.reads(made) else { return nil }
        return Announcement(payload).map(Message.announcement) ?? .unexpected
    }

    private static func rebind(_ payload: UnsafeRawBufferPointer) -> Message? {
        let length = Fingerprint.textLength
        guard payload.count > length + 1, payload[length] == UInt8(ascii: " "),
            let fingerprint = Fingerprint(text: UnsafeRawBufferPointer(rebasing: payload[..<length])),
            let record = Record(UnsafeRawBufferPointer(rebasing: payload[(length + 1)...]))
        else { return nil }
        return .rebind(fingerprint, record.binding)
    }

    private static func echo(_ payload: UnsafeRawBufferPointer) -> Message? {
        guard payload.count <= 128, payload.allSatisfy({ (0x20...0x7E).contains($0) }) else { return nil }
        let words = String(decoding: payload, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[0].first != "+", let sequence = UInt64(words[0]), !words[1].isEmpty,
            !words[2].isEmpty
        else { return nil }
        return .echo(sequence: sequence, server: ServerIdentity.RunID(String(words[1])), era: String(words[2]))
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func reads(_ text: String) -> Bool {
        count == text.utf8.count && elementsEqual(text.utf8)
    }
}
