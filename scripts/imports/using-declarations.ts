import { Visitor } from '@swc/core/Visitor.js';

type Statement = Parameters<Visitor['visitStatement']>[0];

interface Using {
  type: 'UsingDeclaration';
  decls: Parameters<Visitor['visitVariableDeclarators']>[0];
}

/**
 * Teaches the walker that dependency-cruiser uses the statement `using`: without it the walker throws, since @swc/core
 * gave it up before that statement came. Goes away when dependency-cruiser reads TypeScript 7 by itself.
 */
export function readUsingDeclarations(): void {
  const visitStatement = Visitor.prototype.visitStatement;
  Visitor.prototype.visitStatement = function readUsing(this: Visitor, statement: Statement | Using) {
    if (statement.type !== 'UsingDeclaration') return visitStatement.call(this, statement);
    this.visitVariableDeclarators(statement.decls);
    return statement as unknown as Statement;
  };
}
