/// Names that were replaced by the field's word for the same thing. They do not come back.
enum RetiredNames {
    static let all: [FileRule] = [names]

    private static let names = FileRule(
        "a name that was replaced does not come back",
        broken: SourceFile("Sources/Store/A.swift", "struct StoreTrouble {}\n"),
        kept: SourceFile("docs/decisions/0001-a.md", "`StoreTrouble` was its name.\n")
    ) { file in
        let isHistory = file.path.hasPrefix("docs/decisions/") || file.path == "CHANGELOG.md"
        guard !isHistory, file.path != "Tests/LayoutTests/RetiredNames.swift" else { return [] }
        guard file.isSwift || file.isMarkdown else { return [] }
        let pattern =
            /\b(?:StoreQuestion|StoreAnswer|storeMayBeAsked|decideAlone|answeredAside|WeightedTurn|OwnAnswer|ErrorAnswer|OwnCookie|HeldHead|ClientIdentity|ConnectionGate|FleetPost|FleetJudge|OfferPace|FleetDispute|Testimony|StoreTrouble|StoreOutlook|ChannelLink|Surroundings|VisibleText|ShownWord|TraefikShape|CookiesAbove|MistakeList|LoopPlane|ExchangeRecord)\b/
        return file.faults { line in line.firstMatch(of: pattern).map { "\($0.0) has another name now" } }
    }
}
