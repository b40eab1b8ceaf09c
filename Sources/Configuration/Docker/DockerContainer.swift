/// A container as the Engine describes it, reduced to what routing needs.
package struct DockerContainer: Equatable, Sendable {
    /// 64 hexadecimal digits.
    package var id: String
    /// Without the Engine's leading slash.
    package var name: String
    package var labels: [String: String]
    /// Nanoseconds since 1970, by the Engine's clock.
    package var created: Int64
    /// Last start, in nanoseconds since 1970 by the Engine's clock; 0: never started.
    package var started: Int64
    package var state: State
    package var health: Health
    /// Keyed by network name.
    package var networks: [String: Addresses]
    /// `host`, `none`, `container:ID`, `default`, or a network's name.
    package var networkMode: String
    /// TCP ports, ascending.
    package var exposedPorts: [Int]
    /// The signal that asks the container to stop.
    package var stopSignal: DockerSignal

    package enum State: String, Sendable {
        case created, running, paused, restarting, removing, exited, dead
        /// A state that this version of Limpet does not know.
        case unknown
    }

    package enum Health: String, Sendable {
        /// The container has no health check.
        case none
        case starting, healthy, unhealthy
    }

    /// A container's addresses in one network.
    package struct Addresses: Equatable, Sendable {
        package var ipv4: String?
        package var ipv6: String?

        package init(ipv4: String? = nil, ipv6: String? = nil) {
            self.ipv4 = ipv4
            self.ipv6 = ipv6
        }

        /// The IPv4 address if there is one, else the IPv6 address.
        var preferred: String? { ipv4 ?? ipv6 }
    }

    package init(
        id: String, name: String, labels: [String: String] = [:], created: Int64 = 0, started: Int64 = 0,
        state: State = .running, health: Health = .none, networks: [String: Addresses] = [:],
        networkMode: String = "default", exposedPorts: [Int] = [], stopSignal: DockerSignal = .terminate
    ) {
        self.id = id
        self.name = name
        self.labels = labels
        self.created = created
        self.started = started
        self.state = state
        self.health = health
        self.networks = networks
        self.networkMode = networkMode
        self.exposedPorts = exposedPorts
        self.stopSignal = stopSignal
    }
}

/// A signal by its Linux number, since containers run on Linux.
package struct DockerSignal: Hashable, Sendable {
    package static let terminate = DockerSignal(number: 15)

    package let number: Int

    private static let names: [String: Int] = [
        "HUP": 1, "INT": 2, "QUIT": 3, "ABRT": 6, "KILL": 9, "USR1": 10, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15,
        "CHLD": 17, "CONT": 18, "STOP": 19, "TSTP": 20, "URG": 23, "WINCH": 28, "PWR": 30, "RTMIN": 34, "RTMAX": 64,
    ]
    /// Signals that programs take as a request to stop, whatever stop signal their container has.
    private static let ending: Set<Int> = [2, 3, 6, 9, 15]

    package init(number: Int) {
        self.number = number
    }

    /// Parses the Engine's notation: `15`, `SIGTERM`, `TERM`, `SIGRTMIN+3`. Nil if the text is not understood.
    package init?(_ text: String) {
        if let number = Int(decimal: text[...]) {
            guard (1...64).contains(number) else { return nil }
            self.init(number: number)
            return
        }
        let upper = text.uppercased()
        let name = upper.hasPrefix("SIG") ? upper.dropFirst(3) : upper[...]
        let parts = name.split(separator: "+", omittingEmptySubsequences: false)
        guard let base = parts.first.flatMap({ Self.names[String($0)] }) else { return nil }
        guard parts.count == 2 else {
            guard parts.count == 1 else { return nil }
            self.init(number: base)
            return
        }
        guard let offset = Int(decimal: parts[1]), base == 34, offset <= 30 else { return nil }
        self.init(number: base + offset)
    }

    /// Whether the signal asks this container to stop.
    package func ends(_ container: DockerContainer) -> Bool {
        Self.ending.contains(number) || self == container.stopSignal
    }
}
