import LimpetTestKit

/// The options on the command line.
struct SimulateOptions {
    struct Diagnostic: Error, CustomStringConvertible {
        let description: String
    }

    var seeds: UInt64 = 1000
    var seed: UInt64 = 1
    var steps = 300
    var profile: Scenario.Profile?
    var replicas: Int?
    var without: Set<SimulationRule> = []
    var traces = false
    var triesRules = false
    var lists = false

    /// Nil if help is requested.
    init?(_ arguments: ArraySlice<String>) throws {
        var rest = arguments
        while let name = rest.popFirst() {
            switch name {
            case "--trace": traces = true
            case "--rules": triesRules = true
            case "--list": lists = true
            case "-h", "--help": return nil
            case "--seeds", "--seed", "--steps", "--profile", "--replicas", "--without":
                guard let value = rest.popFirst() else { throw Diagnostic(description: "\(name) needs a value") }
                try set(name, value)
            default: throw Diagnostic(description: "there is no option \(name) (see --help)")
            }
        }
    }

    private mutating func set(_ name: String, _ value: String) throws {
        switch name {
        case "--seeds": seeds = try Self.number(name, value)
        case "--seed": seed = try Self.number(name, value)
        case "--steps": steps = Int(clamping: try Self.number(name, value))
        case "--replicas": replicas = min(1024, max(1, Int(clamping: try Self.number(name, value))))
        case "--profile":
            guard let profile = Scenario.Profile(rawValue: value) else {
                throw Diagnostic(description: "there is no profile \(value) (see --list)")
            }
            self.profile = profile
        default:
            guard let rule = SimulationRule(rawValue: value) else {
                throw Diagnostic(description: "there is no rule \(value) (see --list)")
            }
            without.insert(rule)
        }
    }

    private static func number(_ name: String, _ value: String) throws -> UInt64 {
        guard let number = UInt64(value), number < 1 << 32 else {
            throw Diagnostic(description: "\(name) \(value): a number below 2^32 is needed")
        }
        return number
    }
}
