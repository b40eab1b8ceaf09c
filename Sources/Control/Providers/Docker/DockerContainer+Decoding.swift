import Configuration
import Foundation

/// One entry of the Engine's container list. Equal entries mean that nothing has changed.
struct DockerListing: Equatable, Sendable {
    let id: String
    let state: DockerContainer.State
    /// The Engine's status text without the duration: `(healthy)` from `Up 3 minutes (healthy)`.
    var remark = ""
    /// Keyed by network name.
    var networks: [String: DockerContainer.Addresses] = [:]
}

extension DockerListing: Decodable {
    private enum CodingKeys: String, CodingKey {
        case id = "Id"
        case state = "State"
        case status = "Status"
        case networkSettings = "NetworkSettings"
    }

    private struct NetworkSettings: Decodable {
        let Networks: [String: DockerNetwork?]?
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        id = try values.decode(String.self, forKey: .id)
        let text = try values.decodeIfPresent(String.self, forKey: .state)
        state = text.flatMap(DockerContainer.State.init) ?? .unknown
        let status = try values.decodeIfPresent(String.self, forKey: .status) ?? ""
        remark = status.firstMatch(of: /\([^)]*\)/).map { String($0.0) } ?? ""
        let settings = try values.decodeIfPresent(NetworkSettings.self, forKey: .networkSettings)
        networks = (settings?.Networks ?? [:]).compactMapValues { $0?.addresses }
    }
}

extension DockerContainer: Decodable {
    /// Decodes the Engine's description of one container. A key that is absent or null gets a neutral value.
    package init(from decoder: any Decoder) throws {
        let description = try Description(from: decoder)
        let name = description.Name ?? ""
        self.init(
            id: description.Id, name: String(name.hasPrefix("/") ? name.dropFirst() : name[...]),
            labels: description.Config?.Labels ?? [:],
            created: description.Created.flatMap(DockerTime.nanoseconds) ?? 0,
            started: description.State?.StartedAt.flatMap(DockerTime.nanoseconds) ?? 0,
            state: description.State?.Status.flatMap(State.init) ?? .unknown,
            health: description.State?.Health?.Status.flatMap(Health.init) ?? .none,
            networks: (description.NetworkSettings?.Networks ?? [:]).compactMapValues { $0?.addresses },
            networkMode: description.HostConfig?.NetworkMode ?? "",
            exposedPorts: description.tcpPorts,
            stopSignal: description.Config?.StopSignal.flatMap(DockerSignal.init) ?? .terminate)
    }

    /// Names as in the Engine's API.
    private struct Description: Decodable {
        let Id: String
        let Name: String?
        let Created: String?
        let State: StatePart?
        let Config: ConfigPart?
        let HostConfig: HostConfigPart?
        let NetworkSettings: NetworkSettingsPart?

        struct StatePart: Decodable {
            let Status: String?
            let StartedAt: String?
            let Health: HealthPart?
        }

        struct HealthPart: Decodable {
            let Status: String?
        }

        struct ConfigPart: Decodable {
            let Labels: [String: String]?
            let ExposedPorts: [String: Empty]?
            let StopSignal: String?
        }

        struct HostConfigPart: Decodable {
            let NetworkMode: String?
        }

        struct NetworkSettingsPart: Decodable {
            let Ports: [String: Empty?]?
            let Networks: [String: DockerNetwork?]?
        }

        /// The content is ignored.
        struct Empty: Decodable {
            init(from decoder: any Decoder) throws {}
        }

        /// The TCP ports among keys such as `8080/tcp`.
        var tcpPorts: [Int] {
            let keys = (Config?.ExposedPorts ?? [:]).keys.map(\.self) + (NetworkSettings?.Ports ?? [:]).keys
            let ports = keys.compactMap { key -> Int? in
                let parts = key.split(separator: "/", omittingEmptySubsequences: false)
                guard let port = parts.first.flatMap({ Int(decimal: $0) }), (1...65535).contains(port) else {
                    return nil
                }
                return parts.count == 1 || parts[1].lowercased() == "tcp" ? port : nil
            }
            return Set(ports).sorted()
        }
    }
}

/// A container in a network, with names as in the Engine's API.
private struct DockerNetwork: Decodable {
    let IPAddress: String?
    let GlobalIPv6Address: String?

    var addresses: DockerContainer.Addresses {
        func present(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }
        return DockerContainer.Addresses(ipv4: present(IPAddress), ipv6: present(GlobalIPv6Address))
    }
}

/// Parses the Engine's times.
enum DockerTime {
    /// Nanoseconds since 1970 for an RFC 3339 time, such as `2026-11-22T22:11:12.155442482Z` or with an offset. Nil if
    /// the text is not a time, or lies outside the years 1970 to 2200, as the Engine's value for "never" does.
    static func nanoseconds(_ text: String) -> Int64? {
        guard
            let match = text.wholeMatch(
                of: /(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))/)
        else { return nil }
        func number(_ text: Substring) -> Int { Int(decimal: text) ?? 0 }
        var parts = DateComponents()
        (parts.year, parts.month, parts.day) = (number(match.1), number(match.2), number(match.3))
        (parts.hour, parts.minute, parts.second) = (number(match.4), number(match.5), number(match.6))
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        guard (1970...2200).contains(number(match.1)), let date = calendar.date(from: parts) else { return nil }
        let fraction = match.7.map { $0 + String(repeating: "0", count: 9 - $0.count) } ?? "0"
        let offset = 60 * (60 * number(match.9 ?? "0") + number(match.10 ?? "0"))
        let seconds = Int64(date.timeIntervalSince1970.rounded()) - Int64(match.8 == "-" ? -offset : offset)
        return seconds * 1_000_000_000 + Int64(number(fraction[...]))
    }
}
