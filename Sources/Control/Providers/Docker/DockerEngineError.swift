/// Why an Engine did not do what it was asked, in one sentence that names it and says what can be done.
package struct DockerEngineError: Error, Equatable, Sendable, CustomStringConvertible {
    enum Problem: Equatable, Sendable {
        /// There is no socket.
        case absent
        /// We may not open the socket.
        case denied
        /// Nobody takes the connection; why.
        case unreachable(String)
        /// It did not answer within so many seconds.
        case late(Int64)
        /// The connection ended before the answer did.
        case cut
        /// It answers, but not as an Engine does; how.
        case foreign(String)
        /// Another status than was to be expected, and what the Engine says about it.
        case status(Int, String)
        /// More bytes than it may send.
        case tooLong(String, mebibytes: Int)
        /// Events came faster than they could be taken.
        case lagging
        /// No more events come.
        case eventsEnded
        /// Its API is too old.
        case outdated(String)
    }

    let endpoint: DockerEndpoint
    /// What it was asked, as the path of the API without its version.
    let path: String
    let problem: Problem

    package var description: String {
        switch problem {
        case .absent:
            "the socket \(endpoint) does not exist: start Docker, or set providers.docker.endpoint (in a container, mount the socket)"
        case .denied:
            "permission denied on the socket \(endpoint): add Limpet's user to the group that owns the socket"
        case .unreachable(let reason):
            "the Docker Engine at \(endpoint) cannot be reached: \(reason): is it running?"
        case .late(let seconds):
            "the Docker Engine at \(endpoint) did not answer \(path) within \(seconds) s: is it stuck?"
        case .cut:
            "the Docker Engine at \(endpoint) closed the connection before its answer to \(path) was complete"
        case .foreign(let what):
            "the service at \(endpoint) is not a Docker Engine (\(path): \(what)): check providers.docker.endpoint"
        case .status(let code, let message):
            "the Docker Engine at \(endpoint) answered \(path) with status \(code): \(message)"
        case .tooLong(let what, let mebibytes):
            "the Docker Engine at \(endpoint) sent \(what) larger than \(mebibytes) MiB for \(path), which is too large"
        case .lagging:
            "the Docker Engine at \(endpoint) sent events faster than they could be processed: all containers are listed again"
        case .eventsEnded:
            "the Docker Engine at \(endpoint) ended its event stream: has it stopped?"
        case .outdated(let version):
            "the Docker Engine at \(endpoint) speaks API \(version), but Limpet needs 1.24 or later: update Docker"
        }
    }

    /// Whether it concerns what was asked alone: the Engine itself may be well.
    var isOfOneAnswer: Bool {
        switch problem {
        case .late, .foreign, .status, .tooLong: true
        case .absent, .denied, .unreachable, .cut, .lagging, .eventsEnded, .outdated: false
        }
    }
}
