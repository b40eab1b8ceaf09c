import Configuration

/// A fleet as a table for people, with a sentence below it for each problem.
package struct FleetTable: CustomStringConvertible {
    private static let headings = ["NAME", "VERSION", "CONFIGURATION", "LEASE", "STANDBY", "HEARD", "DOWN"]

    private let view: FleetView

    package init(_ view: FleetView) {
        self.view = view
    }

    /// Each line ends with a line feed.
    package var description: String {
        let replicas = view.replicas.sorted { ($0.name, $0.instance) < ($1.name, $1.instance) }
        let rows = [Self.headings] + replicas.map(row)
        let widths = Self.headings.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        let lines = rows.map { row in
            let cells = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            return String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
        }
        return (lines + [""] + notes).joined(separator: "\n") + "\n"
    }

    private var queried: FleetView.Replica? { view.replicas.first(where: \.isSelf) }

    private func row(_ replica: FleetView.Replica) -> [String] {
        [
            EscapedText.of(replica.name) + (replica.isSelf ? " (asked)" : ""), EscapedText.of(replica.version),
            EscapedText.of(replica.configuration) + (differs(replica) ? " *" : ""), replica.lease.rawValue,
            replica.standby.state == .unknown ? "-" : replica.standby.description,
            replica.isSelf ? "-" : Self.seconds(replica.heard),
            replica.down.isEmpty ? "-" : replica.down.map(EscapedText.of).joined(separator: ", "),
        ]
    }

    private func differs(_ replica: FleetView.Replica) -> Bool {
        guard let queried else { return false }
        return replica.configuration != queried.configuration
    }

    private var notes: [String] {
        var notes: [String] = []
        if view.configurationsAgree {
            notes.append("All configurations are the same.")
        } else {
            notes.append("* This configuration differs from that of the replica that was asked.")
        }
        guard let store = view.store else {
            return notes + ["No shared store is configured: sessions are kept in the memory of this replica."]
        }
        notes.append(Self.note(on: store))
        if let note = store.sentinels.flatMap(Self.note) { notes.append(note) }
        notes += standbyNotes
        switch store.isFailoverGuarded {
        case false?:
            notes.append(
                "A Redis failover may lose moves of sessions: "
                    + "if Redis has replicas, set min-replicas-to-write to their number, and min-replicas-max-lag.")
        case nil where store.isAvailable:
            notes.append(
                "Whether a Redis failover may lose moves of sessions is unknown: "
                    + "this replica has not subscribed yet, or may not run CONFIG GET.")
        case nil, true?: break
        }
        return notes
    }

    private static func note(on store: FleetView.Store) -> String {
        let primary = store.primary.map { ", primary \(EscapedText.of($0))" } ?? ""
        return "The store is \(store.isAvailable ? "available" : "unavailable")\(primary)."
    }

    private static func note(on sentinels: FleetView.Sentinels) -> String {
        let answering = "\(sentinels.answering) of \(sentinels.configured) Sentinels name a primary"
        return sentinels.agree
            ? "\(answering), and a majority names the same one."
            : "\(answering), and no majority names the same one: a failover is not followed until one does."
    }

    /// Why replicas are not synced, a sentence each.
    private var standbyNotes: [String] {
        view.replicas.sorted { ($0.name, $0.instance) < ($1.name, $1.instance) }.compactMap { replica in
            replica.standby.explanation.map { "\(EscapedText.of(replica.name)) does not know every session: \($0)." }
        }
    }

    /// `0.3s`, in tenths. A value out of range is shown as unknown.
    private static func seconds(_ seconds: Double) -> String {
        guard let tenths = Int64(exactly: (seconds * 10).rounded()) else { return "?" }
        return "\(Double(tenths) / 10)s"
    }
}
