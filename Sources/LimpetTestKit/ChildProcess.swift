import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// A process that a test runs. Its standard output and error go to files. It is killed when the last reference is
/// released.
package final class ChildProcess: Sendable {
    /// How a process ended.
    package enum End: Equatable, Sendable {
        case exited(Int32)
        case killed(signal: Int32)
    }

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    package let pid: Int32
    package let outputPath: String
    package let errorPath: String
    private let end = Mutex<End?>(nil)

    /// Starts the process with no signal blocked or ignored. It inherits this process's environment, overridden by
    /// `environment`, but no descriptors: a socket that a child also holds is not closed or reset when a test closes
    /// it.
    ///
    /// - Parameters:
    ///   - command: the path of an executable, and its arguments.
    ///   - log: the path of the output files, without extension; their existing content is kept.
    package init(_ command: [String], environment: [String: String] = [:], log: String) throws {
        outputPath = log + ".out"
        errorPath = log + ".err"
        pid = try Self.spawn(command, environment, output: outputPath, error: errorPath)
    }

    deinit { kill() }

    private static func spawn(
        _ command: [String], _ environment: [String: String], output: String, error: String
    ) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let flags = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, flags, 0o600)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, error, flags, 0o600)
        for descriptor in openDescriptors() where descriptor > STDERR_FILENO {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var pid: Int32 = 0
        let code = withStrings(command) { arguments in
            withStrings(variables(environment)) { variables in
                posix_spawn(&pid, command[0], &actions, &attributes, arguments, variables)
            }
        }
        guard code == 0 else { throw Failure(description: "\(command[0]): \(String(cString: strerror(code)))") }
        return pid
    }

    /// The open descriptors of this process. A descriptor that is closed in the meantime does no harm.
    private static func openDescriptors() -> [Int32] {
        guard let directory = opendir("/proc/self/fd") else { return [] }
        defer { closedir(directory) }
        var descriptors: [Int32] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let descriptor = Int32(name) { descriptors.append(descriptor) }
        }
        return descriptors
    }

    private static func variables(_ changes: [String: String]) -> [String] {
        var variables: [String] = []
        var next = environ
        while let variable = next.pointee {
            let text = String(cString: variable)
            if changes[String(text.prefix { $0 != "=" })] == nil { variables.append(text) }
            next += 1
        }
        return variables + changes.map { "\($0)=\($1)" }
    }

    private static func withStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) }
        defer { copies.forEach { free($0) } }
        return body(copies + [nil])
    }

    /// Sends a signal, unless the process has ended.
    package func signal(_ signal: Int32) {
        end.withLock { end in
            if reap(&end) == nil { Glibc.kill(pid, signal) }
        }
    }

    /// Like `kill -9`; returns when the process is gone.
    package func kill() {
        signal(SIGKILL)
        _ = waitForEnd(within: 10)
    }

    /// How the process ended; nil while it runs.
    package var ended: End? { end.withLock { reap(&$0) } }

    /// Waits up to `seconds` for the process to end. Returns how it ended; nil if it is still running. Blocks.
    package func waitForEnd(within seconds: Double) -> End? {
        Waiting.poll(within: seconds) { ended }
    }

    private func reap(_ end: inout End?) -> End? {
        var status: Int32 = 0
        guard end == nil, waitpid(pid, &status, WNOHANG) == pid else { return end }
        end = status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: status & 0x7F)
        return end
    }
}
