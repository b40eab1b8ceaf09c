/// In which folders of a module its files are. A file at the root of a module belongs to all of its folders.
enum RoomRules {
    struct Rooms {
        let folders: Set<String>
        let rootFiles: Set<String>
    }

    static let table: [String: Rooms] = [
        "Affinity": Rooms(
            folders: [
                "Cache", "Coherence", "Decision", "Fleet", "Health", "Placement", "Protocol", "Standby", "Topology",
            ],
            rootFiles: ["BoundedQueue", "Duration+Whole", "Instant", "SplitMix"]),
        "Store": Rooms(
            folders: ["Channel", "Connecting", "Memory", "RESP", "Redis", "Sentinel"],
            rootFiles: [
                "BindingStore", "InstanceID", "InstantNow", "LatencyHistogram", "PrimaryStatus", "Record",
                "StoreBreaker", "StoreCounters", "StoreSettings",
            ]),
        "Proxy": Rooms(
            folders: [
                "Connection", "Downstream", "Exchange", "Explanation", "Health", "Loop", "Middleware", "Reason",
                "Service", "Session", "TLS", "Tunnel", "Upstream",
            ],
            rootFiles: []),
        "Configuration": Rooms(
            folders: ["Docker", "HTTP", "Reading", "TLS", "Tree"],
            rootFiles: [
                "Configuration", "EscapedText", "HostAndPort", "HostSyntax", "ListenAddress", "ProviderSettings",
                "Secret", "Version",
            ]),
        "Control": Rooms(
            folders: Set(FolderRules.allowed.keys), rootFiles: ["Replica"]),
    ]

    /// Files outside the folders of their module, and folders of the table that hold nothing.
    static func misplaced(_ paths: [String]) -> Faults {
        let places = paths.compactMap { path -> (path: String, module: String, parts: [String])? in
            let parts = path.split(separator: "/").map(String.init)
            guard parts.count > 2, parts[0] == "Sources", path.hasSuffix(".swift") else { return nil }
            return (path, parts[1], Array(parts[2...]))
        }
        let strays = places.compactMap { place -> String? in
            guard let rooms = table[place.module] else { return nil }
            if place.parts.count == 1 {
                return rooms.rootFiles.contains(String(place.parts[0].dropLast(6)))
                    ? nil : "\(place.path): it belongs to one of \(rooms.folders.sorted().joined(separator: ", "))"
            }
            return rooms.folders.contains(place.parts[0])
                ? nil : "\(place.path): \(place.module) has no folder \(place.parts[0])"
        }
        let used = Set(places.map { "\($0.module)/\($0.parts.count > 1 ? $0.parts[0] : "")" })
        let empty = table.flatMap { module, rooms in
            rooms.folders.map { "\(module)/\($0)" }.filter { !used.contains($0) }
        }
        return strays + empty.sorted().map { "\($0): nothing is in it" }
    }
}
