import Proxy

extension BasicAuth {
    /// At this cost, a check takes about four seconds.
    private static let costMax = 16
    private static let userForm = "must be name:hash as written by htpasswd, with bcrypt, apr1 or {SHA}"

    init?(_ section: SettingSection, _ usersFiles: UsersFiles) {
        section.check(known: ["users", "usersFile", "realm", "headerField", "removeHeader"])
        let realm = section["realm"].flatMap(Self.realm) ?? "traefik"
        let headerField = section["headerField"].flatMap(Self.headerField)
        let removesHeader = section["removeHeader"]?.bool() ?? false
        let listed = section["users"]?.list() ?? []
        var users = listed.compactMap { value in
            value.string().flatMap { Self.user($0[...]) { value.diagnostic($0) } }
        }
        if let file = section["usersFile"], let lines = Self.lines(file, usersFiles) {
            for (index, line) in lines where !line.isEmpty && !line.hasPrefix("#") {
                if let user = Self.user(line, { file.diagnostic("line \(index + 1) \($0)") }) { users.append(user) }
            }
        }
        // A value that is not a list has been reported already.
        if listed.isEmpty, section["users"].map({ $0.isList || $0.diagnostics.isLabels }) ?? true,
            section["usersFile"] == nil
        {
            section.diagnostic("must name a user: set users or usersFile", key: "users")
        }
        var names: Set<String> = []
        for user in users where !names.insert(user.name).inserted {
            section.diagnostic("defines the user \(user.name) twice", key: "users")
        }
        self.init(users: users, headerField: headerField, removesHeader: removesHeader)
        self.realm = realm
    }

    private static func realm(_ value: SettingValue) -> String? {
        guard let text = value.string() else { return nil }
        if text.isEmpty { return nil }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") })
        else {
            value.diagnostic("must be printable ASCII without \" and \\")
            return nil
        }
        return text
    }

    private static func headerField(_ value: SettingValue) -> String? {
        guard let text = value.string(), !text.isEmpty else { return nil }
        return FieldRules.check(text, value) ? text : nil
    }

    /// The lines with their numbers, counted from 0.
    private static func lines(_ file: SettingValue, _ usersFiles: UsersFiles) -> [(Int, Substring)]? {
        guard let path = file.nonEmptyString() else { return nil }
        do throws(FileContents.Failure) {
            let bytes = try usersFiles.bytes(of: path)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                file.diagnostic("\(path) is not valid UTF-8")
                return nil
            }
            let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
            if lines.allSatisfy({ $0.isEmpty || $0.hasPrefix("#") }) { file.diagnostic("\(path) contains no users") }
            return Array(lines.enumerated())
        } catch {
            file.diagnostic("\(path) \(error.reason)")
            return nil
        }
    }

    /// A diagnostic never shows the hash.
    private static func user(_ line: Substring, _ diagnostic: (String) -> Void) -> User? {
        guard let colon = line.firstIndex(of: ":"), colon > line.startIndex,
            line.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
        else {
            diagnostic(userForm)
            return nil
        }
        let text = String(line[line.index(after: colon)...])
        guard let hash = PasswordHash(htpasswd: text) else {
            let hint = text.contains("$$") ? ": $$ is an escape of Compose files; write a single $ here" : ""
            diagnostic(userForm + hint)
            return nil
        }
        if let cost = hash.cost, cost > costMax {
            diagnostic(
                "has a bcrypt hash of cost \(cost), which takes too long to check: use a cost of at most \(costMax)")
            return nil
        }
        return User(name: String(line[..<colon]), passwordHash: hash)
    }
}
