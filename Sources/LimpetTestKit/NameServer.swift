import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// A DNS server on port 53 of a separate loopback address, for tests that run as root. It answers for the names that
/// are set and leaves all other queries unanswered, like a server whose upstream server is unreachable.
package final class NameServer: Sendable {
    /// The answer for a name, whatever follows its first dot.
    package enum Answer: Sendable {
        /// The address 127.0.0.`host`.
        case address(UInt8)
        /// The name does not exist (NXDOMAIN).
        case absent
        case silence
    }

    /// The address for `/etc/resolv.conf`.
    package let address: String
    private let descriptor: Int32
    private let state = Mutex(State())

    private struct State {
        var answers: [String: Answer] = [:]
        var isSilent = false
        var questions = 0
    }

    /// - Throws: if port 53 is not free on any address, or requires root.
    package init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard let host = (UInt8.random(in: 2...100)..<200).first(where: { Self.bind(descriptor, to: $0) }) else {
            let failure = TCPSocket.Failure("a name server on port 53")
            Glibc.close(descriptor)
            throw failure
        }
        self.descriptor = descriptor
        address = "127.0.0.\(host)"
        Threads.detach { [weak self] in Self.serve(descriptor) { self?.answer($0) } }
    }

    private static func bind(_ descriptor: Int32, to host: UInt8) -> Bool {
        withUnsafePointer(to: TCPSocket.loopback(53, host: host)) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    deinit { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// The number of queries received.
    package var questions: Int { state.withLock { $0.questions } }

    package func set(_ name: String, _ answer: Answer) { state.withLock { $0.answers[name] = answer } }

    /// Stops answering, or resumes.
    package func setSilent(_ value: Bool) { state.withLock { $0.isSilent = value } }

    /// Serves until the socket is shut down.
    private static func serve(_ descriptor: Int32, _ answer: ([UInt8]) -> [UInt8]?) {
        var bytes = [UInt8](repeating: 0, count: 1500)
        while true {
            var peer = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &peer) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(descriptor, &bytes, bytes.count, 0, $0, &length)
                }
            }
            guard count > 0 else { break }
            guard let reply = answer(Array(bytes[..<count])) else { continue }
            withUnsafePointer(to: &peer) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = sendto(descriptor, reply, reply.count, 0, $0, length)
                }
            }
        }
        Glibc.close(descriptor)
    }

    /// The response message (RFC 1035, section 4.1) to a query; nil: no response.
    private func answer(_ question: [UInt8]) -> [UInt8]? {
        guard let (name, end) = Self.name(question), question.count >= end + 4 else { return nil }
        let answer = state.withLock { state in
            state.questions += 1
            return state.isSilent ? nil : state.answers[name]
        }
        let asksForIPv4 = question[end] == 0 && question[end + 1] == 1
        var reply = Array(question[..<(end + 4)])
        // A response, recursion available; one question, no answers.
        reply.replaceSubrange(2..<12, with: [0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0])
        switch answer {
        case nil, .silence: return nil
        case .absent: reply[3] |= 3
        case .address(let host) where asksForIPv4:
            reply[7] = 1
            // The name of the question, type A, class IN, a TTL of one minute, four bytes.
            reply += [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, host]
        case .address: break
        }
        return reply
    }

    /// The first label of the queried name, and the offset at which the name ends.
    private static func name(_ question: [UInt8]) -> (String, end: Int)? {
        guard question.count > 13 else { return nil }
        var place = 12
        var first: String?
        while place < question.count, question[place] > 0 {
            let end = place + 1 + Int(question[place])
            guard end < question.count else { return nil }
            first = first ?? String(decoding: question[(place + 1)..<end], as: UTF8.self).lowercased()
            place = end
        }
        return first.map { ($0, place + 1) }
    }
}
