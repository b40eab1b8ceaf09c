import Foundation

/// The entry of a replica's access log for one request of a session.
package struct RoutedRequest: Hashable, Sendable {
    /// In seconds since 1970: when the request arrived, and when its exchange ended. The decision was made between the
    /// two.
    package var start: Double
    package var end: Double
    package var replica: String
    /// The logged part of the session's fingerprint.
    package var fingerprint: String
    package var backend: String
    /// The raw value of a `Provenance`.
    package var provenance: String
    /// The epoch of the binding that the decision used; nil if it used none.
    package var epoch: UInt64?
    package var target: String
    package var status: Int

    package init(
        start: Double, end: Double, replica: String, fingerprint: String, backend: String, provenance: String,
        epoch: UInt64?, target: String = "/", status: Int = 200
    ) {
        (self.start, self.end, self.replica, self.fingerprint) = (start, end, replica, fingerprint)
        (self.backend, self.provenance, self.epoch) = (backend, provenance, epoch)
        (self.target, self.status) = (target, status)
    }

    /// Decided on a binding, with or without the store: such requests must have one backend for each epoch.
    var isOnBinding: Bool { epoch != nil && provenance != "hashed" && !isAside }

    /// Did not change the session's binding, or had none.
    var isAside: Bool { ["detoured", "placed", "balanced"].contains(provenance) }

    /// Decided with the store or by an earlier result of the store, unless the store was unavailable.
    var isByStore: Bool { epoch != nil && ["cached", "stored", "claimed", "rebound"].contains(provenance) }
}

extension RoutedRequest {
    /// Reads the lines of an access log. Requests without a session or a backend are omitted.
    ///
    /// - Throws: if a line is not a valid log entry.
    package static func read(log: String, of replica: String) throws -> [RoutedRequest] {
        let decoder = JSONDecoder()
        return try log.split(separator: "\n").compactMap { line in
            let line = try decoder.decode(Line.self, from: Data(line.utf8))
            guard let fingerprint = line.SessionFingerprint, let backend = line.Backend,
                let provenance = line.Provenance, let end = seconds(line.time)
            else { return nil }
            return RoutedRequest(
                start: end - Double(line.Duration) / 1e9, end: end, replica: replica, fingerprint: fingerprint,
                backend: backend, provenance: provenance, epoch: line.Epoch, target: line.RequestPath ?? "",
                status: line.DownstreamStatus)
        }
    }

    /// The keys as spelled in the log.
    private struct Line: Decodable {
        let time: String
        let Duration: Int64
        let SessionFingerprint: String?
        let Backend: String?
        let Provenance: String?
        let Epoch: UInt64?
        let RequestPath: String?
        let DownstreamStatus: Int
    }

    /// Converts `2026-01-31T23:59:59.000123Z` to seconds since 1970.
    static func seconds(_ time: String) -> Double? {
        let parts = time.split { !$0.isNumber }.compactMap { Int($0) }
        guard parts.count == 7, time.hasSuffix("Z") else { return nil }
        var date = tm()
        (date.tm_year, date.tm_mon, date.tm_mday) = (Int32(parts[0] - 1900), Int32(parts[1] - 1), Int32(parts[2]))
        (date.tm_hour, date.tm_min, date.tm_sec) = (Int32(parts[3]), Int32(parts[4]), Int32(parts[5]))
        return Double(timegm(&date)) + Double(parts[6]) / 1e6
    }
}
