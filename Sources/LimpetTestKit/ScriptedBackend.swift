import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// A TCP server that runs a script on a dedicated thread for each connection: for responses that real servers never
/// send, and for inspecting the exact bytes that it receives.
package final class ScriptedBackend: Sendable {
    package typealias Script = @Sendable (TCPSocket, _ connection: Int) throws -> Void

    package let port: Int
    private let descriptor: Int32
    private let state = Mutex(State())

    private struct State {
        var connections = 0
        var received: [[UInt8]] = []
        var isClosed = false
    }

    /// Listens on a free port of 127.0.0.1 (or the given port of 127.0.0.`host`). If a script throws an error, its
    /// connection is closed.
    package init(port: Int = 0, host: UInt8 = 1, script: @escaping Script) throws {
        let descriptor = TCPSocket.make()
        self.descriptor = descriptor
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = TCPSocket.loopback(port, host: host)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) == 0 && listen(descriptor, 128) == 0
                    && getsockname(descriptor, pointer, &length) == 0
            }
        }
        guard bound else { throw TCPSocket.Failure("listen on port \(port)") }
        self.port = Int(UInt16(bigEndian: address.sin_port))
        Threads.detach { self.acceptAll(script) }
    }

    deinit { close() }

    /// The number of connections accepted so far.
    package var connectionCount: Int { state.withLock { $0.connections } }

    /// The bytes passed to `record`, in the order of the calls.
    package var received: [[UInt8]] { state.withLock { $0.received } }

    /// Keeps bytes that a script has read, for the test to inspect.
    package func record(_ bytes: [UInt8]) { state.withLock { $0.received.append(bytes) } }

    /// Refuses connections from now on. The thread that accepts them closes the descriptor: until then nobody else has
    /// its number, whose connections it would take.
    package func close() {
        state.withLock { state in
            if !state.isClosed { shutdown(descriptor, Int32(SHUT_RDWR)) }
            state.isClosed = true
        }
    }

    private func acceptAll(_ script: @escaping Script) {
        defer {
            state.withLock { state in
                state.isClosed = true
                Glibc.close(descriptor)
            }
        }
        while true {
            let accepted = accept(descriptor, nil, nil)
            guard accepted >= 0 else { return }
            let number = state.withLock { state in
                state.connections += 1
                return state.connections
            }
            let connection = TCPSocket(accepted: accepted)
            connection.setTimeout(seconds: 20)
            Threads.detach {
                try? script(connection, number)
                connection.close()
            }
        }
    }
}

extension ScriptedBackend {
    /// A flag that a script sets and a test waits for, or the reverse.
    package final class Flag: Sendable {
        private let value = Mutex(false)

        package init() {}

        package func set() { value.withLock { $0 = true } }

        /// Whether the flag is set, or becomes set within `seconds`. Blocks.
        package func isSet(within seconds: Double) -> Bool {
            Waiting.until(within: seconds) { value.withLock { $0 } }
        }
    }
}

/// Threads for tests that block.
package enum Threads {
    /// Runs `body` on a new thread.
    package static func detach(_ body: @escaping @Sendable () -> Void) {
        final class Job: Sendable {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var thread = pthread_t()
        let job = Unmanaged.passRetained(Job(body))
        pthread_create(
            &thread, nil,
            {
                Unmanaged<Job>.fromOpaque($0!).takeRetainedValue().body(); return nil
            }, job.toOpaque())
        pthread_detach(thread)
    }
}
