/// Which server a connection leads to, and which history of data it holds, as `INFO server replication` reports.
package struct ServerIdentity: Hashable, Sendable {
    /// Identifies one server process, from its start to its end.
    package struct RunID: Hashable, Sendable, CustomStringConvertible {
        package let description: String

        package init(_ text: String) { description = text }
    }

    package let runID: RunID
    /// Changes when the server takes over another's data, or is promoted.
    package let replicationID: String

    package init(runID: RunID, replicationID: String) {
        self.runID = runID
        self.replicationID = replicationID
    }
}
