package import Configuration
import Foundation

/// Takes complete lines from the event loops and writes them on its own thread, so that no loop ever waits for a disk
/// or a terminal. Lines that do not fit into the buffer are dropped and counted.
///
/// Unchecked: `pending` and the properties after it are accessed only under `condition`, and `descriptor` only by the
/// thread.
package final class AccessLog: @unchecked Sendable {
    /// The most bytes that may wait; as many again may be on their way to the file.
    package static let bufferByteCountMax = 4 << 20

    private let descriptor: Int32
    private let condition = NSCondition()
    private var pending: [UInt8] = []
    private var pendingLines: UInt64 = 0
    private var dropped: UInt64 = 0
    private var isClosing = false
    private var isClosed = false
    private var closers: [CheckedContinuation<Void, Never>] = []

    /// Opens the file for appending and creates it if needed. Nil means standard output.
    ///
    /// - Throws: `AccessLogError`.
    package init(_ settings: AccessLogSettings) throws(AccessLogError) {
        if let path = settings.filePath {
            descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else {
                throw AccessLogError(
                    "the access log \(path) cannot be opened: \(String(cString: strerror(errno)).lowercased())")
            }
        } else {
            descriptor = STDOUT_FILENO
        }
        let thread = Thread { [self] in writeUntilClosed() }
        thread.name = "access-log"
        thread.start()
    }

    /// Hands over a whole line, including its line feed. Never waits for the file.
    package func append(_ line: [UInt8]) {
        condition.lock()
        defer { condition.unlock() }
        guard !isClosing, pending.count + line.count <= Self.bufferByteCountMax else {
            dropped &+= 1
            return
        }
        if pending.isEmpty { condition.signal() }
        pending += line
        pendingLines &+= 1
    }

    /// The number of lines that did not reach the file.
    package var droppedCount: UInt64 {
        condition.lock()
        defer { condition.unlock() }
        return dropped
    }

    /// Writes the lines that are waiting, and accepts no more.
    package func close() async {
        await withCheckedContinuation { continuation in
            condition.lock()
            defer { condition.unlock() }
            guard !isClosed else { return continuation.resume() }
            isClosing = true
            closers.append(continuation)
            condition.signal()
        }
    }

    private func writeUntilClosed() {
        while let (batch, lines) = nextBatch() {
            guard !writeAll(batch) else { continue }
            condition.lock()
            dropped &+= lines
            condition.unlock()
        }
        if descriptor != STDOUT_FILENO { _ = Foundation.close(descriptor) }
        condition.lock()
        isClosed = true
        closers.forEach { $0.resume() }
        closers = []
        condition.unlock()
    }

    /// Waits for lines. Nil once all are written and no more will come.
    private func nextBatch() -> (bytes: [UInt8], lines: UInt64)? {
        condition.lock()
        defer { condition.unlock() }
        while pending.isEmpty {
            if isClosing { return nil }
            condition.wait()
        }
        defer { (pending, pendingLines) = ([], 0) }
        return (pending, pendingLines)
    }

    /// False if a part could not be written.
    private func writeAll(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var position = 0
            while position < bytes.count {
                let count = write(descriptor, bytes.baseAddress.map { $0 + position }, bytes.count - position)
                if count > 0 {
                    position += count
                } else if errno != EINTR {
                    return false
                }
            }
            return true
        }
    }
}

/// Why the access log cannot be written, in one sentence.
package struct AccessLogError: Error, CustomStringConvertible, Sendable {
    package let description: String

    init(_ sentence: String) {
        description = sentence
    }
}
