package import Foundation
import Synchronization

/// A dedicated Docker Engine for a test: its socket, containers and networks are in a separate directory, which is
/// removed with the last reference. Requires root. It does not change the machine's packet filter or IP forwarding.
///
/// Its containers see the machine's programs and libraries, read only, so that any of them can run in a container; also
/// `limpet`, by `LimpetProgram.path()`. The machine reaches the containers at their addresses in the network `network`.
/// All calls block.
package final class DockerTestEngine: Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// The default network of containers.
    package static let network = "apps"
    static let image = "limpet-test"
    private static let namePrefix = "limpet-docker-"

    package let socketPath: String
    /// The directory of the Engine's data. A test may put other files there that should be removed with it.
    package let directory: String
    private let process: Mutex<ChildProcess?>

    package var endpoint: String { "unix://\(socketPath)" }

    /// Starts an Engine without containers. Returns when it responds.
    package init() throws {
        let root = FileManager.default.temporaryDirectory
        try Self.removeStale(in: root)
        let name = "\(Self.namePrefix)\(getpid())-\(UInt32.random(in: 0 ... .max))"
        directory = root.appendingPathComponent(name).path
        socketPath = "\(directory)/docker.sock"
        process = Mutex(nil)
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        do {
            try start()
            try loadImage()
            try createNetwork(Self.network)
        } catch {
            end()
            throw error
        }
    }

    deinit { end() }

    /// Why no Engine can run here; nil if it can.
    package static let obstacle: String? = {
        guard getuid() == 0 else { return "only root may start a Docker Engine" }
        for (program, package) in [("dockerd", "docker.io"), ("curl", "curl")] where path(of: program) == nil {
            return "\(program) is not installed (apt-get install \(package))"
        }
        do {
            let engine = try DockerTestEngine()
            defer { engine.end() }
            try engine.run("trial", ["/bin/sleep", "100"])
            return nil
        } catch {
            return "\(error)"
        }
    }()

    // MARK: The Engine

    /// Starts the Engine again after a stop, with its existing containers.
    package func start() throws {
        guard let dockerd = Self.path(of: "dockerd") else { throw Failure(description: "dockerd is not installed") }
        let arguments = [
            "--host", endpoint, "--data-root", "\(directory)/data", "--exec-root", "\(directory)/exec", "--pidfile",
            "\(directory)/pid", "--storage-driver", "vfs", "--bridge", "none", "--iptables=false", "--ip6tables=false",
            "--ip-forward=false", "--shutdown-timeout", "1",
        ]
        let child = try ChildProcess([dockerd] + arguments, log: "\(directory)/dockerd")
        process.withLock { $0 = child }
        let isUp = Waiting.until(within: 20) { child.ended != nil || (try? request("GET", "/_ping")) != nil }
        guard isUp, child.ended == nil else {
            let log = (try? TextFile.read(child.errorPath)) ?? ""
            throw Failure(description: "dockerd did not start: \(log.split(separator: "\n").last ?? "it says nothing")")
        }
    }

    /// Stops the Engine and waits for its end. Its containers are stopped too.
    package func stop() {
        process.withLock { process in
            process?.signal(SIGTERM)
            if process?.waitForEnd(within: 20) == nil { process?.kill() }
            process = nil
        }
    }

    /// Like `kill -9`: the containers continue to run.
    package func kill() {
        process.withLock { process in
            process?.kill()
            process = nil
        }
        // The Engine's containerd dies with it. A new Engine would take it for running if started before it is gone.
        let file = "\(directory)/exec/containerd/containerd.pid"
        guard let pid = (try? TextFile.read(file)).flatMap({ Int32($0) }) else { return }
        _ = Waiting.until(within: 5) { !Self.isRunning(pid) }
        try? FileManager.default.removeItem(atPath: file)
    }

    /// The Engine accepts connections but does not respond.
    package func freeze() { process.withLock { $0?.signal(SIGSTOP) } }
    package func thaw() { process.withLock { $0?.signal(SIGCONT) } }

    /// Ends everything that the Engine started. Releasing the last reference does the same, but the time of that is not
    /// always certain.
    package func end() {
        guard FileManager.default.fileExists(atPath: directory) else { return }
        thaw()
        if process.withLock({ $0 == nil }), FileManager.default.fileExists(atPath: "\(directory)/data") { try? start() }
        for container in (try? listed()) ?? [] { try? remove(container) }
        // Removing the networks also removes the machine's interfaces for them.
        _ = try? request("POST", "/networks/prune")
        stop()
        Self.killAll(of: directory)
        Self.remove(directory)
    }

    /// Takes over the remains of an Engine whose test process has ended, to clean them up.
    private init(leftIn directory: String) {
        self.directory = directory
        socketPath = "\(directory)/docker.sock"
        process = Mutex(nil)
        Self.killAll(of: directory)
        kill()
    }

    private static func removeStale(in root: URL) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: root.path) where name.hasPrefix(namePrefix) {
            let pid = Int32(name.dropFirst(namePrefix.count).prefix { $0 != "-" })
            guard let pid, Glibc.kill(pid, 0) != 0 else { continue }
            _ = DockerTestEngine(leftIn: root.appendingPathComponent(name).path)
        }
    }

    /// Kills every process whose command line contains the directory, and the children of these processes.
    private static func killAll(of directory: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        let pids = names.compactMap { Int32($0) }
        let own = pids.filter {
            $0 != getpid() && ((try? TextFile.read("/proc/\($0)/cmdline")) ?? "").contains(directory)
        }
        let children = pids.filter { own.contains(parent(of: $0) ?? 0) }
        for pid in own + children { Glibc.kill(pid, SIGKILL) }
    }

    /// The fields after the name in parentheses: state, parent and so on.
    private static func words(of pid: Int32) -> [Substring] {
        let text = (try? TextFile.read("/proc/\(pid)/stat")) ?? ""
        guard let end = text.lastIndex(of: ")") else { return [] }
        return text[text.index(after: end)...].split(separator: " ")
    }

    private static func parent(of pid: Int32) -> Int32? {
        words(of: pid).dropFirst().first.flatMap { Int32($0) }
    }

    private static func isRunning(_ pid: Int32) -> Bool {
        words(of: pid).first.map { $0 != "Z" } ?? false
    }

    private static func remove(_ directory: String) {
        // The Engine leaves mounts behind, and more of them after a kill.
        let mounts = ((try? TextFile.read("/proc/self/mounts")) ?? "").split(separator: "\n")
        for path in mounts.reversed().compactMap({ $0.split(separator: " ").dropFirst().first }) {
            if path.hasPrefix(directory + "/") { umount2(String(path), Int32(MNT_DETACH)) }
        }
        // Processes that are ending may still remove their own files at the same time.
        _ = Waiting.until(within: 5) {
            try? FileManager.default.removeItem(atPath: directory)
            return !FileManager.default.fileExists(atPath: directory)
        }
    }

    static func path(of program: String) -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return (folders + ["/usr/sbin", "/sbin"]).map { "\($0)/\(program)" }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }

    // MARK: The Engine's API

    /// The response, as JSON or as text.
    ///
    /// - Throws: if the Engine cannot be reached or responds with an error.
    @discardableResult
    package func request(_ method: String, _ path: String, json: Any? = nil, body: Data? = nil) throws -> Any {
        let content = try json.map { try JSONSerialization.data(withJSONObject: $0) } ?? body
        let file = "\(directory)/body-\(UInt32.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: file) }
        var arguments = ["-s", "--max-time", "30", "--unix-socket", socketPath, "-X", method, "-w", "\n%{http_code}"]
        if let content {
            try content.write(to: URL(fileURLWithPath: file))
            let type = json == nil ? "application/x-tar" : "application/json"
            arguments += ["-H", "Content-Type: \(type)", "--data-binary", "@\(file)"]
        }
        let text = try Self.curl(arguments + ["http://docker\(path)"])
        let parts = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let status = parts.last.flatMap({ Int($0) }), (200..<400).contains(status) else {
            throw Failure(description: "\(method) \(path): \(text)")
        }
        let answer = parts.dropLast().joined(separator: "\n")
        return (try? JSONSerialization.jsonObject(with: Data(answer.utf8))) ?? answer
    }

    private static func curl(_ arguments: [String]) throws -> String {
        let client = Process()
        let output = Pipe()
        client.executableURL = URL(fileURLWithPath: path(of: "curl") ?? "/usr/bin/curl")
        client.arguments = arguments
        client.standardOutput = output
        client.standardError = FileHandle.nullDevice
        try client.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        client.waitUntilExit()
        guard client.terminationStatus == 0 else {
            throw Failure(description: "the Engine does not answer (curl \(client.terminationStatus))")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// A container's address in a network.
    package func address(of container: String, in network: String = network) throws -> String? {
        let description = try request("GET", "/containers/\(container)/json") as? [String: Any]
        let settings = description?["NetworkSettings"] as? [String: Any]
        let networks = settings?["Networks"] as? [String: [String: Any]]
        return networks?[network]?["IPAddress"] as? String
    }

    private func listed() throws -> [String] {
        let list = try request("GET", "/containers/json?all=1") as? [[String: Any]]
        return (list ?? []).compactMap { $0["Id"] as? String }
    }

    /// An image that contains only the links through which this machine's programs are found.
    private func loadImage() throws {
        let root = "\(directory)/image"
        try FileManager.default.createDirectory(atPath: "\(root)/tmp", withIntermediateDirectories: true)
        for name in ["bin", "sbin", "lib", "lib64"] {
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/\(name)") else { continue }
            try FileManager.default.createSymbolicLink(atPath: "\(root)/\(name)", withDestinationPath: target)
        }
        let archive = Process()
        archive.executableURL = URL(fileURLWithPath: Self.path(of: "tar") ?? "/usr/bin/tar")
        archive.arguments = ["-C", root, "-cf", "\(root).tar", "."]
        try archive.run()
        archive.waitUntilExit()
        let image = try Data(contentsOf: URL(fileURLWithPath: "\(root).tar"))
        try request("POST", "/images/create?fromSrc=-&repo=\(Self.image)", body: image)
    }
}
