import Configuration

/// Why a request to an Engine failed, in one sentence that names the Engine and says what can be done.
package struct DockerEngineError: Error, Equatable, Sendable, CustomStringConvertible {
    enum Problem: Equatable, Sendable {
        /// The socket does not exist.
        case absent
        /// Limpet has no permission to open the socket.
        case denied
        /// The connection is not accepted, for this reason.
        case unreachable(String)
        /// It did not answer within this number of seconds.
        case late(Int64)
        /// The connection ended before the response did.
        case cut
        /// The response does not look like an Engine's, for this reason.
        case foreign(String)
        /// An unexpected status, and the Engine's message.
        case status(Int, String)
        /// More bytes than allowed.
        case tooLong(String, mebibytes: Int)
        /// Events arrived faster than they could be consumed.
        case lagging
        /// The stream of events ended.
        case eventsEnded
        /// The Engine's API, of this version, is too old.
        case outdated(String)
    }

    let endpoint: DockerEndpoint
    /// The path of the request, without the API version.
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

    /// Whether the error concerns this request only: the Engine itself may be well.
    var isOfOneAnswer: Bool {
        switch problem {
        case .late, .foreign, .status, .tooLong: true
        case .absent, .denied, .unreachable, .cut, .lagging, .eventsEnded, .outdated: false
        }
    }
}
