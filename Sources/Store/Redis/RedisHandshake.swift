import Affinity

/// The first commands on a new connection and the checks of their replies: they authenticate, select the database, and
/// verify that this is a Redis that supports the commands and accepts writes.
struct RedisHandshake {
    enum Action: Equatable {
        case wait
        case done(ServerReport)
        case fail(StoreError)
    }

    private enum Step {
        case authenticate, select(Int), inform, readDemand
    }

    /// Sent in one write.
    let commands: [[String]]
    private var steps: ArraySlice<Step>
    /// Why the database cannot be selected. Reported unless INFO shows that the server is a cluster node.
    private var selection: StoreError?
    /// What INFO reports.
    private var report: ServerReport?

    init(endpoint: RedisEndpoint) {
        var commands: [[String]] = []
        var steps: [Step] = []
        if let credentials = endpoint.credentials {
            commands.append(["AUTH"] + [credentials.username, credentials.password].compactMap(\.self))
            steps.append(.authenticate)
        }
        if endpoint.database != 0 {
            commands.append(["SELECT", String(endpoint.database)])
            steps.append(.select(endpoint.database))
        }
        commands.append(["INFO", "server", "replication"])
        steps.append(.inform)
        // INFO tells whether the server needs replicas, but not how many.
        commands.append(["CONFIG", "GET", "min-replicas-to-write"])
        steps.append(.readDemand)
        self.commands = commands
        self.steps = steps[...]
    }

    mutating func received(_ reply: RESPValue) -> Action {
        guard let step = steps.popFirst() else { return .fail(.surplusReply) }
        switch (step, reply) {
        case (_, .error(let text)) where StoreError.isFull(text): return .fail(.full)
        case (.authenticate, .status), (.select, .status): return .wait
        case (.inform, .string(let text)):
            let action = Self.judge(String(decoding: text, as: UTF8.self))
            if let selection, action != .fail(.cluster) { return .fail(selection) }
            guard case .done(let report) = action else { return action }
            self.report = report
            return .wait
        case (.select, .error(let text)):
            // A cluster has only database 0. If INFO shows that the server is a cluster node, that is the better error.
            selection = Self.error(at: step, RedisErrorCode(text))
            return .wait
        case (.inform, .error(let text)):
            return .fail(selection ?? Self.error(at: step, RedisErrorCode(text)))
        case (.authenticate, .error(let text)): return .fail(Self.error(at: step, RedisErrorCode(text)))
        case (.readDemand, .array(let elements)): return done(demanding: Self.demand(elements))
        case (.readDemand, .error): return done(demanding: nil)
        case (.authenticate, _), (.select, _), (.inform, _), (.readDemand, _): return .fail(.notRedis)
        }
    }

    private func done(demanding replicas: Int?) -> Action {
        guard let report else { return .fail(.surplusReply) }
        return .done(report.demanding(replicas))
    }

    /// Parses the name of the setting and its value.
    private static func demand(_ elements: RESPElements) -> Int? {
        var elements = elements
        guard elements.count == 2, elements.next() != nil, case .string(let value) = elements.next() else { return nil }
        return Int(String(decoding: value, as: UTF8.self))
    }

    private static func error(at step: Step, _ code: RedisErrorCode) -> StoreError {
        switch (step, code) {
        case (_, .noAuthentication): .passwordNeeded
        case (.authenticate, .wrongPassword): .wrongPassword
        case (.authenticate, _): .refuses(command: "AUTH", code)
        case (.select, .noPermission): .noPermission(.command("select"))
        case (.select(let database), _): .noDatabase(database)
        case (.inform, .noPermission): .noPermission(.command("info"))
        case (.inform, _): .refuses(command: "INFO", code)
        case (.readDemand, _): .refuses(command: "CONFIG", code)
        }
    }

    /// Parses the reply to INFO: lines of `field:value`.
    private static func judge(_ info: String) -> Action {
        var fields: [Substring: Substring] = [:]
        for line in info.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon]] = line[line.index(after: colon)...]
        }
        if let error = troubleWithVersion(fields) { return .fail(error) }
        guard let runID = fields["run_id"].flatMap(identifier),
            let history = fields["master_replid"].flatMap(identifier)
        else { return .fail(.noIdentity) }
        guard fields["role"] == "master" else { return .fail(.replica) }
        return .done(
            ServerReport(
                identity: ServerIdentity(runID: ServerIdentity.RunID(runID), replicationID: history),
                demandsReplicas: fields["min_slaves_good_slaves"] != nil,
                connectedReplicas: fields["connected_slaves"].flatMap { Int($0) } ?? 0))
    }

    private static func troubleWithVersion(_ fields: [Substring: Substring]) -> StoreError? {
        switch fields["redis_mode"] ?? fields["server_mode"] {
        case "sentinel": return .sentinel
        case "cluster": return .cluster
        default: break
        }
        if fields["server_name"] == "valkey" || fields["valkey_version"] != nil { return nil }
        guard let version = fields["redis_version"] else { return .notRedis }
        guard let major = Int(version.prefix { $0 != "." }), major >= 7 else {
            return .tooOld(version: String(version.filter(isPartOfVersion).prefix(16)))
        }
        return nil
    }

    private static func isPartOfVersion(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || character == "." || character == "-")
    }

    /// Both identifiers are 40 hexadecimal digits. A heartbeat carries the run id, so it must be one word.
    private static func identifier(_ text: Substring) -> String? {
        guard (1...64).contains(text.utf8.count), text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }) else {
            return nil
        }
        return String(text)
    }
}
