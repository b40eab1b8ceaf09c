/// An integer that is a duration ends with its unit, or is a `Duration`.
enum UnitRules {
    static let all: [FileRule] = [durations]

    /// `Max-Age` is in seconds by RFC 6265; the others are not durations. A test demands that each is still needed.
    static let exceptions: Set<String> = ["cookieMaxAge", "maxAge", "lineage", "stepsPerHalfLife"]

    private static let durations = FileRule(
        "an integer that is a duration ends with its unit",
        broken: SourceFile("Sources/Store/A.swift", "    private let replyTimeout: Int64\n"),
        kept: SourceFile("Sources/Store/A.swift", "    private let replyTimeoutNanoseconds: Int64\n")
    ) { file in
        file.faults { line in
            guard let name = duration(in: line, of: file), !exceptions.contains(name) else { return nil }
            return "\(name) is an integer: say its unit last in its name"
        }
    }

    /// The integer that a line of the product declares under the name of a duration without a unit.
    static func duration(in line: Substring, of file: SourceFile) -> String? {
        guard file.isProduct, file.isSwift, file.module != "LimpetTestKit", file.module != "simulate",
            !line.drop(while: { $0 == " " }).hasPrefix("//"), !line.contains("enum ")
        else { return nil }
        let pattern =
            /\b((?:[a-z]\w*)?(?:[tT]imeout|[bB]udget|[lL]ease|[iI]nterval|[dD]elay|[gG]ap|[gG]race|[aA]ge|[lL]ifetime|[fF]reshness|[vV]alidity|[pP]eriod|[hH]alfLife)(?:Min|Max|Duration)?): U?Int\d*\b/
        return line.firstMatch(of: pattern).map { String($0.1) }
    }
}
