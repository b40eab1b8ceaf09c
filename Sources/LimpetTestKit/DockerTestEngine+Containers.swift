import Foundation

extension DockerTestEngine {
    /// The settings of a container, in addition to its name and command.
    package struct Options: Sendable {
        package var labels: [String: String] = [:]
        /// The name of a network, `host`, `none` or `container:ID`.
        package var networkMode = DockerTestEngine.network
        /// Such as `80/tcp`.
        package var exposedPorts: [String] = []
        /// A command that runs once a second; empty: no health check.
        package var healthCheck: [String] = []
        package var stopSignal: String?
        /// Whether the container starts whenever the Engine does.
        package var isRestarted = false

        package init() {}
    }

    /// A shell that exits shortly after SIGTERM and ignores SIGHUP.
    package static let obedient = [
        "/bin/sh", "-c", "trap 'sleep 0.5; exit 0' TERM; trap '' HUP; while :; do sleep 100 & wait $!; done",
    ]

    /// Creates and starts a container. Returns its id.
    @discardableResult
    package func run(_ name: String, _ command: [String], _ options: Options = Options()) throws -> String {
        let id = try create(name, command, options)
        try start(id)
        return id
    }

    /// Runs a backend: `limpet whoami` on port 80 of a container. The backend has the container's name.
    @discardableResult
    package func runWhoami(_ name: String, _ options: Options = Options()) throws -> String {
        var options = options
        options.exposedPorts = ["80/tcp"]
        return try run(name, [try LimpetProgram.path(), "whoami", "--listen", ":80", "--name", name], options)
    }

    package func create(_ name: String, _ command: [String], _ options: Options = Options()) throws -> String {
        var hostConfig: [String: Any] = [
            "NetworkMode": options.networkMode, "Binds": Self.folders().map { "\($0):\($0):ro" },
        ]
        if options.isRestarted { hostConfig["RestartPolicy"] = ["Name": "always"] }
        var settings: [String: Any] = [
            "Image": Self.image, "Cmd": command, "Labels": options.labels, "HostConfig": hostConfig,
            "ExposedPorts": Dictionary(uniqueKeysWithValues: options.exposedPorts.map { ($0, [String: String]()) }),
        ]
        settings["StopSignal"] = options.stopSignal
        if !options.healthCheck.isEmpty {
            settings["Healthcheck"] = [
                "Test": ["CMD"] + options.healthCheck, "Interval": 1_000_000_000, "Timeout": 1_000_000_000,
                "Retries": 1,
            ]
        }
        let answer = try request("POST", "/containers/create?name=\(name)", json: settings) as? [String: Any]
        guard let id = answer?["Id"] as? String else { throw Failure(description: "container \(name) has no id") }
        return id
    }

    package func start(_ container: String) throws { try request("POST", "/containers/\(container)/start") }

    /// Stops the container with its stop signal, and kills it after `seconds`.
    package func stop(_ container: String, seconds: Int = 5) throws {
        try request("POST", "/containers/\(container)/stop?t=\(seconds)")
    }

    package func kill(_ container: String, signal: String) throws {
        try request("POST", "/containers/\(container)/kill?signal=\(signal)")
    }

    package func pause(_ container: String) throws { try request("POST", "/containers/\(container)/pause") }

    package func unpause(_ container: String) throws { try request("POST", "/containers/\(container)/unpause") }

    package func rename(_ container: String, to name: String) throws {
        try request("POST", "/containers/\(container)/rename?name=\(name)")
    }

    /// Runs a command in the container. Returns when the command has started.
    package func execute(_ command: [String], in container: String) throws {
        let answer = try request("POST", "/containers/\(container)/exec", json: ["Cmd": command]) as? [String: Any]
        guard let id = answer?["Id"] as? String else { throw Failure(description: "nothing to be executed") }
        try request("POST", "/exec/\(id)/start", json: ["Detach": true])
    }

    package func remove(_ container: String) throws {
        try request("DELETE", "/containers/\(container)?force=1&v=1")
    }

    package func createNetwork(_ name: String) throws {
        try request("POST", "/networks/create", json: ["Name": name, "Driver": "bridge"])
    }

    package func connect(_ container: String, to network: String) throws {
        try request("POST", "/networks/\(network)/connect", json: ["Container": container])
    }

    package func disconnect(_ container: String, from network: String) throws {
        try request("POST", "/networks/\(network)/disconnect", json: ["Container": container])
    }

    /// The directories of this machine's programs and of the libraries that they need.
    private static func folders() -> [String] {
        var folders: Set<String> = ["/usr"]
        if let program = try? LimpetProgram.path() { folders.insert(folder(of: program)) }
        for line in ((try? TextFile.read("/proc/self/maps")) ?? "").split(separator: "\n") {
            guard let path = line.split(separator: " ").last, path.hasPrefix("/"), path.contains(".so") else {
                continue
            }
            let folder = folder(of: String(path))
            if !folder.hasPrefix("/usr"), !folder.hasPrefix("/lib") { folders.insert(folder) }
        }
        return folders.sorted()
    }

    private static func folder(of path: String) -> String {
        URL(fileURLWithPath: path).deletingLastPathComponent().path
    }
}
