/// An integer that is a duration ends with its unit, or is a `Duration`.
enum UnitRules {
    static let all: [FileRule] = [durations]

    /// `Max-Age` is in seconds by RFC 6265. The list may only shrink.
    static let exceptions: Set<String> = ["cookieMaxAge", "maxAge", "lineage", "stepsPerHalfLife"]

    private static let durations = FileRule(
        "an integer that is a duration ends with its unit",
        broken: SourceFile("Sources/Store/A.swift", "    private let replyTimeout: Int64\n"),
        kept: SourceFile("Sources/Store/A.swift", "    private let replyTimeoutNanoseconds: Int64\n")
    ) { file in
        guard file.isProduct, file.isSwift, file.module != "LimpetTestKit", file.module != "simulate" else { return [] }
        let pattern =
            /\b((?:[a-z]\w*)?(?:[tT]imeout|[bB]udget|[lL]ease|[iI]nterval|[dD]elay|[gG]race|[aA]ge|[lL]ifetime|[fF]reshness|[vV]alidity|[pP]eriod|[hH]alfLife)(?:Min|Max|Duration)?): U?Int\d*\b/
        return file.faults { line in
            guard !line.drop(while: { $0 == " " }).hasPrefix("//"), !line.contains("enum "),
                let match = line.firstMatch(of: pattern)
            else {
                return nil
            }
            let name = String(match.1)
            return exceptions.contains(name) ? nil : "\(name) is an integer: say its unit last in its name"
        }
    }
}
