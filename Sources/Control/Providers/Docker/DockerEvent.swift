import Configuration
import Foundation

/// Something that happened to a container.
struct DockerEvent: Equatable, Sendable {
    enum Change: Equatable, Sendable {
        /// It was sent a signal.
        case signal(DockerSignal)
        /// It is no more.
        case destroyed
        /// Something about it is different: it must be looked at.
        case other
    }

    let id: String
    let change: Change
    /// Nanoseconds since 1970, by the Engine's clock.
    let time: Int64

    init(id: String, _ change: Change, time: Int64) {
        self.id = id
        self.change = change
        self.time = time
    }
}

extension DockerEvent {
    /// After which a container looks different; `health_status` has more behind a colon.
    private static let changing: Set<Substring> = [
        "create", "start", "die", "health_status", "pause", "unpause", "rename", "update", "died",
    ]
    /// No name or id is longer.
    private static let idByteCountMax = 128

    /// - Parameter json: one event of the Engine's stream.
    /// - Returns: nil for one that changes nothing here.
    /// - Throws: where it is no event.
    static func read(_ json: some Sequence<UInt8>) throws -> DockerEvent? {
        let event = try JSONDecoder().decode(Description.self, from: Data(json))
        let time = event.timeNano ?? (event.time ?? 0).multipliedReportingOverflow(by: 1_000_000_000).partialValue
        let action = (event.Action ?? event.status ?? "").prefix { $0 != ":" }
        let attributes = event.Actor?.Attributes ?? [:]
        if event.type == "network" {
            guard action == "connect" || action == "disconnect" else { return nil }
            return made(attributes["container"], .other, time)
        }
        guard event.type == nil || event.type == "container" else { return nil }
        let id = event.Actor?.ID ?? event.id
        switch action {
        case "kill":
            let signal = attributes["signal"].flatMap(DockerSignal.init)
            // One that is not understood is taken for what `docker kill` sends.
            return made(id, .signal(signal ?? DockerSignal(number: 9)), time)
        case "destroy", "remove": return made(id, .destroyed, time)
        case _ where changing.contains(action): return made(id, .other, time)
        default: return nil
        }
    }

    private static func made(_ id: String?, _ change: Change, _ time: Int64) -> DockerEvent? {
        guard let id, !id.isEmpty, id.utf8.count <= idByteCountMax else { return nil }
        return DockerEvent(id: id, change, time: time)
    }

    /// The Engine's own names, older ones too.
    private struct Description: Decodable {
        let `Type`: String?
        let Action: String?
        let Actor: Actor?
        let status: String?
        let id: String?
        let time: Int64?
        let timeNano: Int64?

        var type: String? { `Type` }

        struct Actor: Decodable {
            let ID: String?
            let Attributes: [String: String]?
        }
    }
}
