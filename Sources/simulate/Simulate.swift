import Foundation
import LimpetTestKit

/// Runs simulations of the affinity protocol from the command line.
@main
struct Simulate {
    private static let usage = """
        simulate --seeds N --seed S --steps N [--profile NAME] [--replicas N] [--without RULE] [--trace] [--rules] [--list]

          --seeds N        how many seeds to run (1000)
          --seed S         the first of them (1)
          --steps N        choices in a run (300)
          --profile NAME   the kind of trouble, for every seed (drawn from the seed)
          --replicas N     how many replicas (drawn from the seed)
          --without RULE   without this rule of the protocol; may be given again
          --trace          what happens, line by line; for a single seed
          --rules          for each rule: run without it until an invariant breaks
          --list           the names of profiles and rules
        """

    static func main() async {
        do {
            guard let options = try SimulateOptions(CommandLine.arguments.dropFirst()) else { return print(usage) }
            let isWell = try await SimulateCommand(options: options).run()
            exit(isWell ? 0 : 1)
        } catch {
            FileHandle.standardError.write(Data("simulate: \(error)\n".utf8))
            exit(2)
        }
    }
}
