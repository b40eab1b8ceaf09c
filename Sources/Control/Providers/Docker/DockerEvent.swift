import Configuration
import Foundation

/// Something that happened to a container.
struct DockerEvent: Equatable, Sendable {
    enum Change: Equatable, Sendable {
        /// The container was sent a signal.
        case signal(DockerSignal)
        /// The container no longer exists.
        case destroyed
        /// Something else changed: the container must be inspected.
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
    /// Events that change a container; `health_status` is followed by a colon and details.
    private static let changing: Set<Substring> = [
        "create", "start", "die", "health_status", "pause", "unpause", "rename", "update", "died",
    ]
    /// The longest accepted name or id.
    private static let idByteCountMax = 128

    /// - Parameter json: one event of the Engine's stream.
    /// - Returns: nil for an event that changes nothing here.
    /// - Throws: if the text is not an event.
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
            // An unknown signal is treated as the default of `docker kill`.
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

    /// Names as in the Engine's API, including older ones.
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
