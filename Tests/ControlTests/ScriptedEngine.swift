import LimpetTestKit
import Synchronization

/// An Engine whose containers and events a test chooses.
final class ScriptedEngine: Sendable {
    struct State {
        /// By id, what describes each; nil: the Engine fails to say.
        var containers: [String: String?] = [:]
        var events: [TCPSocket] = []
        var inspected: [String] = []
        var failsListing = false
        /// Those whose description never comes, or breaks off.
        var hanging: Set<String> = []
        var cut: Set<String> = []
    }

    let state = Mutex(State())

    func server(port: Int = 0) throws -> ScriptedBackend {
        try ScriptedBackend(port: port) { [self] connection, _ in
            let head = try connection.receive(until: "\r\n\r\n")
            let target = head.split(separator: " ").dropFirst().first.map(String.init) ?? ""
            if target.contains("/events") {
                try connection.send(DockerEngineTests.eventsHead)
                state.withLock { $0.events.append(connection) }
                _ = try connection.receiveAll()
            } else if let answer = answer(to: target) {
                try connection.send(answer)
            } else {
                _ = try connection.receiveAll()
            }
        }
    }

    /// Nil: none, until whoever asks goes away.
    private func answer(to target: String) -> String? {
        state.withLock { state in
            if target == "/version" { return DockerEngineTests.answer(DockerEngineTests.version) }
            if target.contains("/containers/json") {
                if state.failsListing { return DockerEngineTests.answer("{}", "500 Error") }
                let list = state.containers.keys.sorted().map { #"{"Id":"\#($0)","State":"running"}"# }
                return DockerEngineTests.answer("[\(list.joined(separator: ","))]")
            }
            let id = target.split(separator: "/").dropFirst(2).first.map(String.init) ?? ""
            state.inspected.append(id)
            if state.hanging.contains(id) { return nil }
            if state.cut.contains(id) { return "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{" }
            guard let container = state.containers[id] else {
                return DockerEngineTests.answer("{}", "404 Not Found")
            }
            return container.map { DockerEngineTests.answer($0) } ?? DockerEngineTests.answer("{}", "500 Error")
        }
    }

    func set(_ id: String, address: String?, started: Int = 1) {
        let json = address.map {
            #"{"Id":"\#(id)","Name":"/\#(id)","State":{"Status":"running","StartedAt":"2026-01-01T00:00:0\#(started)Z"},"#
                + #""HostConfig":{"NetworkMode":"n"},"NetworkSettings":{"Networks":{"n":{"IPAddress":"\#($0)"}}}}"#
        }
        state.withLock { $0.containers[id] = .some(json) }
    }

    func tell(_ action: String, _ id: String, time: Int64 = 1_900_000_000_000_000_000) throws {
        let text = DockerEngineTests.chunk(DockerEngineTests.event(action, id, time: time))
        for connection in state.withLock({ $0.events }) { try? connection.send(text) }
    }

    func hangUp() {
        for connection in state.withLock({ $0.events }) { connection.closeOutput() }
    }

    var inspected: [String] { state.withLock { $0.inspected } }
    var streamCount: Int { state.withLock { $0.events.count } }
}
